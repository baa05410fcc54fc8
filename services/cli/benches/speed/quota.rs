//! A share of a processor for one process, as if it had a machine of its own that is so small: on few
//! processors the only way to see what more of such machines would do.
//!
//! Linux keeps to it by a control group. To make one takes root, and a hierarchy that may be written.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where control groups are mounted: those of version 2, or of version 1 with a folder a controller.
const VERSION_2: &str = "/sys/fs/cgroup";
const VERSION_1: &str = "/sys/fs/cgroup/cpu";

/// How often processor time is dealt out. Whoever has used up his share waits for the rest of it, and so does
/// whoever waits for his answer. Linux deals out no less than a millisecond, which a few percent have to come to.
const PERIOD: Duration = Duration::from_millis(25);

/// The control group of one process. The process must have ended when this is dropped.
pub(crate) struct Quota {
    group: PathBuf,
}

impl Quota {
    /// Gives a process so many percent of one processor.
    pub(crate) fn of(percent: u32, pid: u32) -> Self {
        let quota = Self::hold(percent, pid);
        quota.unwrap_or_else(|error| panic!("a control group could not be made, which takes root: {error}"))
    }

    fn hold(percent: u32, pid: u32) -> io::Result<Self> {
        let (period, share) = (PERIOD.as_micros(), (PERIOD * percent / 100).as_micros());
        let version_2 = Path::new(VERSION_2).join("cgroup.controllers").exists();
        let root = Path::new(if version_2 { VERSION_2 } else { VERSION_1 });
        if version_2 {
            fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
        }
        let group = root.join(format!("waybill-bench-{pid}"));
        fs::create_dir(&group)?;
        let quota = Self { group };
        if version_2 {
            quota.write("cpu.max", &format!("{share} {period}"))?;
        } else {
            quota.write("cpu.cfs_period_us", &period.to_string())?;
            quota.write("cpu.cfs_quota_us", &share.to_string())?;
        }
        quota.write("cgroup.procs", &pid.to_string())?;
        Ok(quota)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.group.join(file), value)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // An empty folder, should it be left, does nothing.
        let _ = fs::remove_dir(&self.group);
    }
}
