//! A scored file: some 115 bytes a row, each row of another fan, who is named in one way, two or three.

use anyhow::{Context, Result};
use std::fs::{self, File as Target};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The bucket.
pub const BUCKET: &str = "scoring-bucket";
/// The key under which the file is loaded.
pub const KEY: &str = "scrubbed/bench.csv";
/// The rows belong to this many campaigns: the Entry Service is called at most 100 times a second for each.
const CAMPAIGNS: usize = 50;
/// One in this many rows has rank 0, for the Entry Service.
const ROWS_PER_RANK_0: usize = 4;

/// A file that is to be loaded.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is, until it is put into a bucket.
    pub path: PathBuf,
    /// Its rows.
    pub rows: usize,
    /// Its bytes.
    pub bytes: u64,
}

impl File {
    /// Writes a file with this many rows into a folder.
    pub fn write(folder: &Path, name: &str, rows: usize) -> Result<Self> {
        let path = folder.join(name).with_extension("csv");
        let mut to = BufWriter::new(Target::create(&path)?);
        writeln!(to, "campaignId,memberId,globalUserId,email,marketId,eventId,rank,score,verdict,selected")?;
        for row in 0..rows {
            let (campaign, rank) = (row % CAMPAIGNS, usize::from(!row.is_multiple_of(ROWS_PER_RANK_0)));
            let verdict = if row.is_multiple_of(7) { "rejected" } else { "verified" };
            let [member, user, email] = names(row);
            writeln!(
                to,
                "{},{member},{user},{email},market-{:03},event-{campaign:04}-{rank},{rank},{}.{:02},{verdict},false",
                campaign_id(campaign),
                row % 300,
                row % 1_000,
                row % 100,
            )?;
        }
        to.flush()?;
        let bytes = fs::metadata(&path)?.len();
        Ok(Self { path, rows, bytes })
    }

    /// The campaigns of the rows.
    pub fn campaigns() -> impl Iterator<Item = String> {
        (0..CAMPAIGNS).map(campaign_id)
    }

    /// The rows of rank 0.
    pub fn rank_0(&self) -> usize {
        self.rows.div_ceil(ROWS_PER_RANK_0)
    }

    /// Puts a copy into the bucket of a host whose data is in a folder: written beside it and renamed in.
    pub fn put(&self, data: &Path) -> Result<()> {
        let bucket = data.join("objects").join(BUCKET);
        fs::create_dir_all(&bucket)?;
        let beside = data.join("incoming.csv");
        fs::copy(&self.path, &beside).context("copying the file")?;
        fs::rename(&beside, bucket.join(KEY.replace('/', "%2F"))).context("renaming the file into the bucket")
    }
}

/// The names of a row's fan: nine in ten fans are members, every other one has an account, every third an address.
fn names(row: usize) -> [String; 3] {
    let part = |is_there: bool, name: String| if is_there { name } else { String::new() };
    [
        part(row % 10 != 9, format!("member-7d0e5a3c-{row:08}")),
        part(row % 2 == 1, format!("user-9f27c1d4-{row:08}")),
        part(row.is_multiple_of(3), format!("fan.{row:08}@example.com")),
    ]
}

fn campaign_id(campaign: usize) -> String {
    format!("campaign-4c1f0b7e-{campaign:04}")
}
