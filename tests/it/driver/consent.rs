//! Questions to a manager: may this key connect, shall this peer be paired with?

use super::lab::{self, TestRuntime};
use futures_lite::future::zip;
use handfast_driver::{
    Builder, Candidate, ConfirmPrompt, ConnectFailure, Consent, DialError, HostingError, JoiningError, Node,
    P2PManager, PairingFailure, Runtime, Target,
};
use handfast_tests::paired::identity;
use smol::channel::{Sender, unbounded};

super::on_every_runtime!(
    a_connection_waits_for_the_managers_word,
    a_connection_that_the_manager_refuses_or_panics_about_is_closed,
    a_node_without_a_manager_confirms_no_pairing,
    a_pairing_waits_for_the_user_of_each_side,
    a_prompt_that_is_dropped_refuses,
);

/// What a manager says to who connects.
#[derive(Clone, Copy)]
enum Word {
    Yes,
    No,
    Panic,
}

struct Gate {
    word: Word,
    candidates: Sender<Candidate>,
    prompts: Sender<ConfirmPrompt>,
}

impl<R: Runtime> P2PManager<R> for Gate {
    fn peer_admitted(&self, peer: &Candidate) -> bool {
        self.candidates.try_send(peer.clone()).unwrap();
        match self.word {
            Word::Yes => true,
            Word::No => false,
            Word::Panic => panic!("a hook that panics, on purpose"),
        }
    }

    fn peer_confirmation(&self, prompt: ConfirmPrompt) {
        self.prompts.try_send(prompt).unwrap();
    }
}

type Heard = (smol::channel::Receiver<Candidate>, smol::channel::Receiver<ConfirmPrompt>);

fn gate(word: Word) -> (Gate, Heard) {
    let ((candidates, heard), (prompts, asked)) = (unbounded(), unbounded());
    (Gate { word, candidates, prompts }, (heard, asked))
}

fn a_connection_waits_for_the_managers_word<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let (manager, (candidates, _)) = gate(Word::Yes);
        let config = lab::config().with_admission(Consent::Asked);
        let b = Builder::new(config, b, B::default()).with_store(store_b).with_manager(manager);
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a);
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        lab::connect(&a, &b).await;
        let candidate = candidates.recv().await.unwrap();
        assert_eq!(candidate.key, a.public_key());
        assert!(candidate.paired && !candidate.dialled);
    });
}

fn a_connection_that_the_manager_refuses_or_panics_about_is_closed<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        for word in [Word::No, Word::Panic] {
            let ((a, store_a), (b, store_b)) = lab::sides();
            let (manager, _heard) = gate(word);
            let config = lab::config().with_admission(Consent::Asked);
            let b = Builder::new(config, b, B::default()).with_store(store_b.clone()).with_manager(manager);
            let a = Builder::new(lab::config(), a, A::default()).with_store(store_a.clone());
            let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
            a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
            let refused = a.connect(b.id()).await.unwrap_err();
            assert_eq!(refused, DialError::Failed(ConnectFailure::Refused));
            assert_eq!((store_a.records().len(), store_b.records().len()), (1, 1));
        }
    });
}

/// Two strangers of whom each asks its user before it pairs.
async fn careful<A: TestRuntime, B: TestRuntime>() -> ((Node<A>, Heard), (Node<B>, Heard)) {
    let ((gate_a, heard_a), (gate_b, heard_b)) = (gate(Word::Yes), gate(Word::Yes));
    let config = lab::config().with_confirmation(Consent::Asked);
    let a = Builder::new(config.clone(), identity(1), A::default()).with_manager(gate_a);
    let b = Builder::new(config, identity(2), B::default()).with_manager(gate_b);
    ((a.start().await.unwrap(), heard_a), (b.start().await.unwrap(), heard_b))
}

fn at<R: Runtime>(node: &Node<R>) -> Target {
    Target::At(vec![lab::address(node, "127.0.0.1")])
}

fn a_node_without_a_manager_confirms_no_pairing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let config = lab::config().with_confirmation(Consent::Asked).with_admission(Consent::Asked);
        let a = Builder::new(config, identity(1), A::default()).start().await.unwrap();
        let b = Builder::new(lab::config(), identity(2), B::default()).start().await.unwrap();
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().clone();
        let (shown, typed) = zip(hosting.outcome(), b.pair_join(code, at(&a))).await;
        assert_eq!(shown.unwrap_err(), HostingError::Failed(PairingFailure::Cancelled));
        assert_eq!(typed.unwrap_err(), JoiningError::Failed(PairingFailure::Refused));
    });
}

fn a_pairing_waits_for_the_user_of_each_side<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, (_, asked_a)), (b, (_, asked_b))) = careful::<A, B>().await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().clone();
        let users = async {
            let (at_a, at_b) = (asked_a.recv().await.unwrap(), asked_b.recv().await.unwrap());
            assert_eq!(at_a.confirmation().key, b.public_key());
            assert_eq!(at_b.confirmation().label(), a.public_key().fingerprint().label());
            assert!(a.peers().iter().all(|peer| peer.paired.is_none()), "nobody has agreed");
            at_b.accept();
            at_a.accept();
        };
        let ((shown, typed), ()) = zip(zip(hosting.outcome(), b.pair_join(code, at(&a))), users).await;
        assert_eq!(shown.unwrap().pair_id, typed.unwrap().pair_id);
    });
}

fn a_prompt_that_is_dropped_refuses<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, (_, asked_a)), (b, (_, asked_b))) = careful::<A, B>().await;
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().clone();
        let users = async {
            asked_b.recv().await.unwrap().accept();
            drop(asked_a.recv().await.unwrap());
        };
        let ((shown, typed), ()) = zip(zip(hosting.outcome(), b.pair_join(code, at(&a))), users).await;
        assert_eq!(shown.unwrap_err(), HostingError::Failed(PairingFailure::Cancelled));
        assert_eq!(typed.unwrap_err(), JoiningError::Failed(PairingFailure::Refused));
    });
}
