//! Randomness that is the same in every run of one history.

/// A source of random numbers drawn from the step's seed: ChaCha8 as
/// [C2SP](https://c2sp.org/chacha8rand) has it, which is Go's, so that the same
/// connector in another language draws the same. It is fit for identifiers, not
/// for keys: keys live in the host.
#[derive(Clone, Debug)]
pub struct Random {
    seed: [u64; 4],
    buffer: [u64; 32],
    next: usize,
    end: usize,
    counter: u32,
}

const COUNTER_STEP: u32 = 4;
const COUNTER_END: u32 = 16;
const RESEED: usize = 4;

impl Random {
    pub(crate) fn new(seed: &[u8]) -> Random {
        let mut bytes = [0u8; 32];
        let n = seed.len().min(32);
        bytes[..n].copy_from_slice(&seed[..n]);
        let mut words = [0u64; 4];
        for (word, b) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
        }
        let mut random = Random { seed: words, buffer: [0; 32], next: 0, end: 32, counter: 0 };
        random.block();
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if self.next == self.end {
            self.refill();
        }
        let n = self.buffer[self.next];
        self.next += 1;
        n
    }

    /// A number below `n`, each as likely as the other. Zero if `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // What would make the small numbers likelier is drawn again.
        let biased = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= biased {
                return (product >> 64) as u64;
            }
        }
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> String {
        let high = self.bits() & !0xf000 | 0x4000;
        let low = self.bits() & !(3 << 62) | 2 << 62;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    fn refill(&mut self) {
        self.counter += COUNTER_STEP;
        if self.counter == COUNTER_END {
            // What was drawn cannot be found out from what will be.
            self.seed.copy_from_slice(&self.buffer[32 - RESEED..]);
            self.counter = 0;
        }
        self.block();
        self.next = 0;
        self.end = if self.counter == COUNTER_END - COUNTER_STEP { 32 - RESEED } else { 32 };
    }

    /// Four blocks of ChaCha8 side by side. The input is added to the key rows
    /// only.
    fn block(&mut self) {
        let mut rows = [[0u32; 4]; 16];
        for (lane, constant) in [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574].into_iter().enumerate() {
            rows[lane] = [constant; 4];
        }
        for (i, word) in self.seed.iter().enumerate() {
            rows[4 + 2 * i] = [*word as u32; 4];
            rows[5 + 2 * i] = [(*word >> 32) as u32; 4];
        }
        for (lane, counter) in rows[12].iter_mut().enumerate() {
            *counter = self.counter + lane as u32;
        }
        for lane in 0..4 {
            let mut x = [0u32; 16];
            for (word, row) in x.iter_mut().zip(&rows) {
                *word = row[lane];
            }
            let key: [u32; 8] = [x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11]];
            for _ in 0..4 {
                quarter(&mut x, 0, 4, 8, 12);
                quarter(&mut x, 1, 5, 9, 13);
                quarter(&mut x, 2, 6, 10, 14);
                quarter(&mut x, 3, 7, 11, 15);
                quarter(&mut x, 0, 5, 10, 15);
                quarter(&mut x, 1, 6, 11, 12);
                quarter(&mut x, 2, 7, 8, 13);
                quarter(&mut x, 3, 4, 9, 14);
            }
            for (word, add) in x[4..12].iter_mut().zip(key) {
                *word = word.wrapping_add(add);
            }
            for (row, word) in rows.iter_mut().zip(x) {
                row[lane] = word;
            }
        }
        for (i, row) in rows.iter().enumerate() {
            self.buffer[2 * i] = u64::from(row[0]) | u64::from(row[1]) << 32;
            self.buffer[2 * i + 1] = u64::from(row[2]) | u64::from(row[3]) << 32;
        }
    }
}

fn quarter(x: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(16);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(12);
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(8);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(7);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and some later outputs of Go's generator for its test's seed.
    #[test]
    fn draws_what_go_draws() {
        let mut random = Random::new(b"ChaCha8 is fast!ChaCha8 is fast!");
        let drawn: Vec<u64> = (0..1000).map(|_| random.bits()).collect();
        let go = include!("testdata/chacha8.in");
        for (at, want) in go {
            assert_eq!(drawn[at], want, "draw {at}");
        }
    }
}
