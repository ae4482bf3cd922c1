//! On smol a node runs where the application says.

use super::lab;
use handfast_driver::Builder;
use handfast_driver::error::OpenError;
use handfast_smol::Runtime;
use smol::Executor;
use std::sync::Arc;

#[test]
fn a_node_of_smol_runs_in_the_executor_that_it_is_given_and_ends_with_it() {
    let executor = Arc::new(Executor::new());
    let ((a, store_a), (b, store_b)) = lab::sides();
    let a = Builder::new(lab::config(), a, Runtime::on(&executor)).with_store(store_a);
    let b = Builder::new(lab::config(), b, Runtime::on(&executor)).with_store(store_b);
    let (a, connection) = smol::block_on(executor.run(async {
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let mut stream = connection.open_uni("hello").await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.finish().unwrap();
        stream.delivered().await.unwrap();
        assert!(!executor.is_empty(), "both nodes' tasks are in it");
        (a, connection)
    }));
    drop(executor);
    assert!(a.local_addresses().is_empty(), "its sockets are closed");
    smol::block_on(async {
        assert_eq!(connection.open_uni("late").await.unwrap_err(), OpenError::Gone);
        a.shutdown().await;
    });
}
