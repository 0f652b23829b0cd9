//! How often an address may do something: a bucket for each that fills up again with time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// Addresses that are remembered; those with full buckets are forgotten first.
const MOST: usize = 10_000;

/// Buckets by address. Cloning is cheap; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// What a bucket holds at most, and how much comes back a second.
    holds: f64,
    refills: f64,
    buckets: Arc<Mutex<HashMap<IpAddr, (f64, Instant)>>>,
}

impl Rate {
    /// So many at once, and `a_second` on the whole.
    pub(super) fn new(holds: f64, a_second: f64) -> Self {
        Self { holds, refills: a_second, buckets: Arc::default() }
    }

    /// Takes one; answers whether there was one.
    pub(super) fn take(&self, address: IpAddr) -> bool {
        self.look(address, 1.0)
    }

    /// Whether there is one.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.look(address, 0.0)
    }

    fn look(&self, address: IpAddr, takes: f64) -> bool {
        let now = Instant::now();
        let filled = |(left, since): (f64, Instant)| (left + now.duration_since(since).as_secs_f64() * self.refills).min(self.holds);
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| filled(*bucket) < self.holds);
            // A flood from ever new addresses: the old ones start over.
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let left = buckets.get(&address).map_or(self.holds, |bucket| filled(*bucket));
        let enough = left >= 1.0;
        if takes > 0.0 {
            buckets.insert(address, (if enough { left - takes } else { left }, now));
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_address_has_its_own_bucket_and_it_fills_again() {
        let rate = Rate::new(3.0, 20.0);
        let (one, other) = (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into());
        assert_eq!([rate.take(one), rate.take(one), rate.take(one), rate.take(one), rate.has(one)], [true, true, true, false, false]);
        assert!(rate.has(other) && rate.take(other));
        std::thread::sleep(std::time::Duration::from_millis(80));
        assert!(rate.take(one));
    }

    #[test]
    fn a_flood_of_addresses_is_forgotten() {
        let rate = Rate::new(1.0, 0.0);
        for number in 0..3 * MOST as u32 {
            assert!(rate.take(Ipv4Addr::from(number).into()));
        }
        assert!(rate.buckets.lock().len() <= MOST);
    }
}
