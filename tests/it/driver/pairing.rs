//! Pairing through the handles: a code shown, a code typed, hooks that save and undo.

use super::lab::{self, TestRuntime};
use futures_lite::future::zip;
use handfast_driver::{
    Builder, Code, HookFuture, HostingError, JoiningError, MemoryStore, Node, P2PManager, PairId, PairedPeer,
    PairingFailure, PairingPrompt, Runtime, Target,
};
use handfast_tests::paired::identity;
use smol::channel::{Sender, unbounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

super::on_every_runtime!(
    a_code_that_is_typed_pairs_both_sides_for_good,
    a_stream_that_is_opened_right_after_pairing_arrives,
    a_wrong_code_pairs_nobody,
    a_hook_that_fails_on_one_side_leaves_both_unpaired,
    a_hook_that_panics_leaves_both_unpaired,
    a_prompt_that_is_accepted_with_the_code_pairs,
    a_window_that_is_dropped_is_closed,
    a_peer_that_is_forgotten_cannot_connect,
);

/// Saves peers in memory; fails or panics if told to.
#[derive(Clone, Default)]
struct Book {
    saved: Arc<Mutex<Vec<PairId>>>,
    fails: bool,
    panics: bool,
    rolled_back: Arc<AtomicBool>,
    prompts: Option<Sender<PairingPrompt>>,
}

impl<R: Runtime> P2PManager<R> for Book {
    fn peer_paired(&self, peer: PairedPeer) -> HookFuture<'_> {
        Box::pin(async move {
            assert!(!self.panics, "a hook that panics, on purpose");
            if self.fails {
                return Err(());
            }
            self.saved.lock().unwrap().push(peer.pair_id);
            Ok(())
        })
    }

    fn peer_paired_rollback(&self, pairing: PairId) -> HookFuture<'_> {
        Box::pin(async move {
            self.saved.lock().unwrap().retain(|id| *id != pairing);
            self.rolled_back.store(true, Ordering::SeqCst);
            Ok(())
        })
    }

    fn peer_pairing_request(&self, prompt: PairingPrompt) {
        match &self.prompts {
            Some(prompts) => prompts.try_send(prompt).unwrap(),
            None => prompt.reject(),
        }
    }
}

async fn strangers<A: TestRuntime, B: TestRuntime>(a: Book, b: Book) -> (Node<A>, Node<B>) {
    let a = Builder::new(lab::config(), identity(1), A::default()).with_manager(a);
    let b = Builder::new(lab::config(), identity(2), B::default()).with_manager(b);
    (a.start().await.unwrap(), b.start().await.unwrap())
}

fn at<R: Runtime>(node: &Node<R>) -> Target {
    Target::At(vec![lab::address(node, "127.0.0.1")])
}

fn a_code_that_is_typed_pairs_both_sides_for_good<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (book_a, book_b) = (Book::default(), Book::default());
        let store = MemoryStore::default();
        let a = Builder::new(lab::config(), identity(1), A::default()).with_manager(book_a.clone());
        let a = a.with_store(store.clone()).start().await.unwrap();
        let b = Builder::new(lab::config(), identity(2), B::default()).with_manager(book_b.clone());
        let b = b.start().await.unwrap();
        let hosting = a.pair_host(Target::Any).unwrap();
        let code: Code = hosting.code().to_string().parse().unwrap();
        let (shown, typed) = zip(hosting.outcome(), b.pair_join(code, at(&a))).await;
        let (shown, typed) = (shown.unwrap(), typed.unwrap());
        assert_eq!((shown.key, typed.key), (b.public_key(), a.public_key()));
        assert_eq!(*book_a.saved.lock().unwrap(), [shown.pair_id]);
        assert_eq!(*book_b.saved.lock().unwrap(), [shown.pair_id]);
        assert_eq!(store.records().len(), 1);
        b.add_address(a.id(), lab::address(&a, "127.0.0.1"));
        b.connect(a.id()).await.unwrap();
    });
}

fn a_stream_that_is_opened_right_after_pairing_arrives<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = strangers::<A, B>(Book::default(), Book::default()).await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().to_string().parse().unwrap();
        let host = async {
            hosting.outcome().await.unwrap();
            let (_, mut recv) = a.accept().await.unwrap().accept();
            recv.read_to_end(100).await.unwrap().unwrap()
        };
        let joiner = async {
            let peer = b.pair_join(code, at(&a)).await.unwrap();
            b.add_address(peer.id, lab::address(&a, "127.0.0.1"));
            let mut send = b.connect(peer.id).await.unwrap().open_uni("first").await.unwrap();
            send.write_all(b"at once").await.unwrap();
            send.finish().unwrap();
            send.delivered().await.unwrap();
        };
        assert_eq!(zip(host, joiner).await.0, b"at once");
    });
}

fn a_wrong_code_pairs_nobody<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (book_a, book_b) = (Book::default(), Book::default());
        let (a, b) = strangers::<A, B>(book_a.clone(), book_b.clone()).await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let right = hosting.code().to_string();
        // Two codes with right check digits, of which at least one is wrong.
        let wrong = if right == "000-0000" { "111-1110" } else { "000-0000" };
        let wrong: Code = wrong.parse().unwrap();
        let error = b.pair_join(wrong, at(&a)).await.unwrap_err();
        assert!(matches!(error, JoiningError::Failed(PairingFailure::BadCode { .. })), "{error:?}");
        assert!(book_a.saved.lock().unwrap().is_empty() && book_b.saved.lock().unwrap().is_empty());
        // The window takes more attempts, and the right code still pairs.
        let (shown, typed) = zip(hosting.outcome(), b.pair_join(right.parse().unwrap(), at(&a))).await;
        assert_eq!(shown.unwrap().pair_id, typed.unwrap().pair_id);
    });
}

fn a_hook_that_fails_on_one_side_leaves_both_unpaired<A: TestRuntime, B: TestRuntime>() {
    unpaired::<A, B>(Book { fails: true, ..Book::default() });
}

fn a_hook_that_panics_leaves_both_unpaired<A: TestRuntime, B: TestRuntime>() {
    unpaired::<A, B>(Book { panics: true, ..Book::default() });
}

/// The host's hook fails, after the joiner's has succeeded.
fn unpaired<A: TestRuntime, B: TestRuntime>(book_a: Book) {
    lab::run::<A>(async {
        let book_b = Book::default();
        let (a, b) = strangers::<A, B>(book_a.clone(), book_b.clone()).await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().to_string().parse().unwrap();
        let (shown, typed) = zip(hosting.outcome(), b.pair_join(code, at(&a))).await;
        assert_eq!(shown.unwrap_err(), HostingError::Failed(PairingFailure::Hook));
        assert_eq!(typed.unwrap_err(), JoiningError::Failed(PairingFailure::RemoteStore));
        // What succeeded is undone; there is nothing to undo of what did not.
        while !book_b.rolled_back.load(Ordering::SeqCst) {
            lab::sleep::<A>(Duration::from_millis(10)).await;
        }
        assert!(book_a.saved.lock().unwrap().is_empty() && book_b.saved.lock().unwrap().is_empty());
        assert!(a.peers().iter().all(|peer| peer.paired.is_none()));
        assert!(b.peers().iter().all(|peer| peer.paired.is_none()));
    });
}

fn a_prompt_that_is_accepted_with_the_code_pairs<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (prompts, prompted) = unbounded();
        let book_b = Book { prompts: Some(prompts), ..Book::default() };
        let (a, b) = strangers::<A, B>(Book::default(), book_b).await;
        let hosting = a.pair_host(at(&b)).unwrap();
        let code = hosting.code().to_string().parse().unwrap();
        let prompt = prompted.recv().await.unwrap();
        assert_eq!(prompt.request().peer, a.public_key());
        prompt.accept(code);
        assert_eq!(hosting.outcome().await.unwrap().key, b.public_key());
    });
}

fn a_window_that_is_dropped_is_closed<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = strangers::<A, B>(Book::default(), Book::default()).await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().to_string().parse().unwrap();
        drop(hosting);
        let error = b.pair_join(code, at(&a)).await.unwrap_err();
        assert_eq!(error, JoiningError::Failed(PairingFailure::NoWindow));
        a.pair_host(Target::Any).unwrap();
    });
}

fn a_peer_that_is_forgotten_cannot_connect<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        assert!(b.forget(a.id()));
        while !a.connections().is_empty() {
            lab::sleep::<A>(Duration::from_millis(10)).await;
        }
        assert!(!b.forget(a.id()));
        a.connect(b.id()).await.unwrap_err();
        drop(connection);
    });
}
