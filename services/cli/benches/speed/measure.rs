//! What processes use, as Linux tells of them: processor time and memory.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::statistics::Sample;

/// Ticks in a second of what Linux tells of processor time are 100 (`USER_HZ`).
const TICK_US: f64 = 10_000.0;

/// Processor time of a process so far, in user and in system mode, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs, on Linux");
    let (_, after_name) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() * TICK_US
}

/// Memory that a process has now, in MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    status_mib(pid, "VmRSS:")
}

/// The most memory that a process ever had, in MiB.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    status_mib(pid, "VmHWM:")
}

fn status_mib(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    kib.and_then(|kib| kib.trim().parse::<f64>().ok())
        .expect("it is told in kB")
        / 1024.0
}

/// The process on this machine that listens on a TCP port: whoever has open the socket that the kernel
/// lists there. So a server is found however it was started.
pub(crate) fn listener(port: u16) -> Option<u32> {
    let sockets: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| listening(line, port))
                .collect::<Vec<_>>()
        })
        .collect();
    let processes = fs::read_dir("/proc").expect("this is Linux").flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| has_open(*pid, &sockets))
}

/// The link that a descriptor of the socket in a line of `/proc/net/tcp` is, if it listens on `port`.
fn listening(line: &str, port: u16) -> Option<String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, hex) = fields.get(1)?.rsplit_once(':')?;
    let listens = fields.get(3) == Some(&"0A") && u16::from_str_radix(hex, 16) == Ok(port);
    listens.then(|| format!("socket:[{}]", fields[9]))
}

fn has_open(pid: u32, sockets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let target = fs::read_link(descriptor.path());
        target.is_ok_and(|target| sockets.iter().any(|socket| target == Path::new(socket)))
    })
}

/// Processes whose processor time is told, by name. Those of one name are told as one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Watched(BTreeMap<String, Vec<u32>>);

/// Processor time of the watched at one moment, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct CpuTimes(BTreeMap<String, f64>);

impl Watched {
    pub(crate) fn and(mut self, name: &str, pid: u32) -> Self {
        self.0.entry(name.to_owned()).or_default().push(pid);
        self
    }

    /// Those of these names.
    pub(crate) fn only(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| names.contains(&name.as_str()));
        self
    }

    pub(crate) fn now(&self) -> CpuTimes {
        CpuTimes(
            self.0
                .iter()
                .map(|(name, pids)| (name.clone(), pids.iter().map(|pid| cpu_us(*pid)).sum()))
                .collect(),
        )
    }
}

impl CpuTimes {
    /// Adds what each used from here `until` then for one of `operations`, as `cpu_us.NAME`.
    pub(crate) fn tell(&self, until: &Self, operations: f64, sample: &mut Sample) {
        for (name, before) in &self.0 {
            let used = until.0[name] - before;
            sample.insert(format!("cpu_us.{name}"), used / operations);
        }
    }
}
