//! Packages that are made: always the same files of the same sizes.
//!
//! Sizes are drawn from a log-normal distribution with a fixed seed and scaled to the wanted sum,
//! which is how the files of released software are spread: many of a few hundred bytes, few that
//! hold most of the bytes.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;

/// Standard deviation of the logarithm of sizes.
const SPREAD: f64 = 1.7;
const FILES_A_DIRECTORY: usize = 20;
const DIRECTORIES_A_GROUP: usize = 18;

/// Makes many small files in directories of two levels.
pub(super) fn small_files(root: &Path, count: usize, bytes: u64) -> Result<()> {
    let mut dice = Dice(0x706b_6766_7300_0001);
    let sizes = sizes(&mut dice, count, bytes);
    for (number, size) in sizes.into_iter().enumerate() {
        let directory = number / FILES_A_DIRECTORY;
        let group = root.join(format!("group_{:02}", directory / DIRECTORIES_A_GROUP));
        let directory = group.join(format!("part_{:02}", directory % DIRECTORIES_A_GROUP));
        if number % FILES_A_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        let mut content = Vec::with_capacity(size + 8);
        while content.len() < size {
            content.extend(dice.next().to_le_bytes());
        }
        content.truncate(size);
        fs::write(directory.join(format!("file_{number:05}.dat")), content)?;
    }
    Ok(())
}

/// Makes one large file without two equal pages.
pub(super) fn large_file(path: &Path, bytes: u64) -> Result<()> {
    const PAGE: usize = 4096;
    let mut dice = Dice(0x706b_6766_7300_0002);
    let mut page: Vec<u8> = (0..PAGE / 8).flat_map(|_| dice.next().to_le_bytes()).collect();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in 0..bytes / PAGE as u64 {
        page[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&page)?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// Sizes of at least a byte that add up exactly.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn sizes(dice: &mut Dice, count: usize, bytes: u64) -> Vec<usize> {
    let weights: Vec<f64> = (0..count).map(|_| (dice.normal() * SPREAD).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let scale = bytes as f64 / sum;
    let mut sizes: Vec<usize> = weights.iter().map(|w| ((w * scale) as usize).max(1)).collect();
    let made: usize = sizes.iter().sum();
    if let Some(largest) = sizes.iter_mut().max() {
        *largest = *largest + bytes as usize - made;
    }
    sizes
}

/// splitmix64 (Steele, Lea and Flood, 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, neither included.
    #[allow(clippy::cast_precision_loss)]
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::{Dice, sizes};

    #[test]
    fn sizes_add_up_and_most_are_small() {
        let sizes = sizes(&mut Dice(1), 6_442, 50_000_000);
        assert_eq!(sizes.iter().sum::<usize>(), 50_000_000);
        let small = sizes.iter().filter(|size| **size < 7_762).count();
        assert!(small > 4_000, "{small} files are below the mean");
    }
}
