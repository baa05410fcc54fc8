//! What the process and its runtime use.

use std::{fs, sync::Once};

use opentelemetry::KeyValue;
use tokio::runtime::Handle;

use super::meter;

/// Ticks in a second of what Linux tells of processor time. It is the same on every machine, since
/// it is part of the kernel's interface (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

/// Observes this process and the current tokio runtime from now on, whenever somebody asks.
/// Processor time and memory are told on Linux only. Later calls change nothing.
pub(crate) fn observe() {
    static OBSERVED: Once = Once::new();
    OBSERVED.call_once(|| {
        observe_usage();
        observe_runtime(&Handle::current());
    });
}

fn observe_usage() {
    meter()
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("Processor time that the process has used.")
        .with_callback(|observer| {
            let Some((user_s, system_s)) = fs::read_to_string("/proc/self/stat")
                .ok()
                .as_deref()
                .and_then(cpu_time)
            else {
                return;
            };
            observer.observe(user_s, &[KeyValue::new("cpu.mode", "user")]);
            observer.observe(system_s, &[KeyValue::new("cpu.mode", "system")]);
        })
        .build();
    meter()
        .i64_observable_up_down_counter("process.memory.usage")
        .with_unit("By")
        .with_description("Physical memory that the process uses.")
        .with_callback(|observer| {
            let status = fs::read_to_string("/proc/self/status").ok();
            if let Some(bytes) = status.as_deref().and_then(resident_bytes) {
                observer.observe(bytes, &[]);
            }
        })
        .build();
}

fn observe_runtime(runtime: &Handle) {
    let gauge = |name, unit, description, read: fn(&Handle) -> usize| {
        let runtime = runtime.clone();
        meter()
            .u64_observable_gauge(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&runtime) as u64, &[]))
            .build();
    };
    gauge(
        "waybill.runtime.workers",
        "{thread}",
        "Threads that run tasks.",
        |runtime| runtime.metrics().num_workers(),
    );
    gauge(
        "waybill.runtime.tasks",
        "{task}",
        "Tasks that are alive.",
        |runtime| runtime.metrics().num_alive_tasks(),
    );
    gauge(
        "waybill.runtime.queue.depth",
        "{task}",
        "Tasks that wait for any worker.",
        |runtime| runtime.metrics().global_queue_depth(),
    );
    let runtime = runtime.clone();
    meter()
        .f64_observable_counter("waybill.runtime.busy.time")
        .with_unit("s")
        .with_description("Time that workers have spent running tasks, all together.")
        .with_callback(move |observer| {
            let metrics = runtime.metrics();
            let busy = (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker));
            observer.observe(busy.sum::<std::time::Duration>().as_secs_f64(), &[]);
        })
        .build();
}

/// Seconds in user and in system mode, from `/proc/self/stat`.
fn cpu_time(stat: &str) -> Option<(f64, f64)> {
    // The second field, the command's name, is in brackets and may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_S);
    Some((seconds()?, seconds()?))
}

/// Resident bytes, from `/proc/self/status`.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read() {
        let stat = "7 (way) bill) S 1 7 7 0 -1 4194560 900 0 0 0 250 150 0 0 20 0 5 0 1 1 1";
        assert_eq!(cpu_time(stat), Some((2.5, 1.5)));
        assert_eq!(cpu_time("7 (waybill)"), None);
        assert_eq!(resident_bytes("Name:\twaybill\nVmRSS:\t    12 kB\n"), Some(12288));
        assert_eq!(resident_bytes("Name:\twaybill\n"), None);
    }
}
