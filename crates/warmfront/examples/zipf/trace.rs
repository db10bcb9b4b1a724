//! Which objects are asked for, in an order that a seed decides, and how large each is.

/// Draws objects whose popularity falls with their rank to the power of `skew`.
pub(crate) struct Zipf {
    first: u32,
    /// The share of requests that goes to each object or one before it.
    up_to: Vec<f64>,
}

impl Zipf {
    /// `objects` of them, from `first` on.
    pub(crate) fn new(first: u32, objects: u32, skew: f64) -> Self {
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=objects)
            .map(|rank| {
                sum += f64::from(rank).powf(-skew);
                sum
            })
            .collect();
        for share in &mut up_to {
            *share /= sum;
        }
        Self { first, up_to }
    }

    /// Bytes of memory that this table takes.
    pub(crate) fn size(&self) -> u64 {
        size_of_val(&*self.up_to) as u64
    }

    /// Endless, and the same for the same seed.
    pub(crate) fn trace(&self, seed: u64) -> impl Iterator<Item = u32> + '_ {
        let mut state = seed;
        std::iter::from_fn(move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let drawn = (mixed(state) >> 11) as f64 / (1_u64 << 53) as f64;
            let rank = self.up_to.partition_point(|share| *share <= drawn);
            Some(self.first + rank.min(self.up_to.len() - 1) as u32)
        })
    }
}

/// From this number on, objects have 1 KiB each.
pub(crate) const SMALL: u32 = 1 << 30;

/// Bytes of an object: mostly 1 to 80 KiB, one of a hundred 100 to 400 KiB, evenly over orders of magnitude,
/// whatever its popularity. 20 KB on average.
pub(crate) fn size_of(object: u32) -> u64 {
    if object >= SMALL {
        return 1024;
    }
    let chance = mixed(u64::from(object) ^ 0x5EED);
    let at = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    let (least, most): (f64, f64) =
        if chance.is_multiple_of(100) { (1e5, 4e5) } else { (1024.0, 80.0 * 1024.0) };
    (least * (most / least).powf(at)) as u64
}

/// The finalizer of SplitMix64: every bit of the input moves every bit of the output.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
