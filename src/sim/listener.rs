//! A TCP listener on 127.0.0.1 with a task for each connection. Knows no protocol.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// Listens until it is stopped or dropped.
pub(crate) struct ListenerTask {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ListenerTask {
    /// Starts to listen on 127.0.0.1; port 0 picks a free one.
    pub(crate) async fn start<F, C>(port: u16, mut serve: F) -> io::Result<Self>
    where
        F: FnMut(TcpStream) -> C + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    _ = &mut stopped => return,
                    Some(_) = connections.join_next() => {}
                    Ok((stream, _)) = listener.accept() => {
                        let _ = stream.set_nodelay(true);
                        connections.spawn(serve(stream));
                    }
                }
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Stops listening and closes all connections.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(()); // the task may have ended
        let _ = self.task.await;
    }
}
