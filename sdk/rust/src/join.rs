//! Effects side by side.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Awaits two futures side by side: the host is asked for the effects of both at
/// once.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let both = Both { a: Part::Waits(Box::pin(a)), b: Part::Waits(Box::pin(b)) };
    both.await
}

/// Awaits several futures of one kind side by side, and returns their results in
/// the same order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    All { parts: futures.into_iter().map(|f| Part::Waits(Box::pin(f))).collect() }.await
}

enum Part<F: Future> {
    Waits(Pin<Box<F>>),
    Done(Option<F::Output>),
}

impl<F: Future> Part<F> {
    /// Whether it is done.
    fn poll(&mut self, task: &mut Context<'_>) -> bool {
        if let Part::Waits(future) = self {
            match future.as_mut().poll(task) {
                Poll::Ready(value) => *self = Part::Done(Some(value)),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn take(&mut self) -> Option<F::Output> {
        match self {
            Part::Done(value) => value.take(),
            Part::Waits(_) => None,
        }
    }
}

// What waits is in a box, and what is done is never pinned.
impl<F: Future> Unpin for Part<F> {}

struct Both<A: Future, B: Future> {
    a: Part<A>,
    b: Part<B>,
}

impl<A: Future, B: Future> Future for Both<A, B> {
    type Output = (A::Output, B::Output);

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let both = self.get_mut();
        let (a, b) = (both.a.poll(task), both.b.poll(task)); // both, and in this order
        if !a || !b {
            return Poll::Pending;
        }
        match (both.a.take(), both.b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            _ => Poll::Pending, // polled after it was done
        }
    }
}

struct All<F: Future> {
    parts: Vec<Part<F>>,
}

impl<F: Future> Future for All<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let all = self.get_mut();
        let waiting = all.parts.iter_mut().filter_map(|part| if part.poll(task) { None } else { Some(()) }).count();
        if waiting > 0 {
            return Poll::Pending;
        }
        Poll::Ready(all.parts.iter_mut().filter_map(Part::take).collect())
    }
}
