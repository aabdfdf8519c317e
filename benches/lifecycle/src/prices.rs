//! What each part of the isolation costs: the floor without it, in turns with the whole.

use std::time::Instant;

use crate::bundle::Bundles;
use crate::measure::{Effort, Random, WARM_UP};
use crate::process::{Line, c};
use crate::results::{Price, Report};
use crate::runtimes::Runtime;

/// The whole, then what leaves a part out, then what adds one.
#[rustfmt::skip]
const SWITCHES: [&str; 16] = [
    "",
    "--no-cgroup", "--no-device-rules", "--no-uts", "--no-ipc", "--no-net", "--no-cgroupns",
    "--no-loopback", "--no-mounts", "--no-devices", "--no-masks", "--no-bounding",
    "--no-session", "--no-keyring",
    "--middle", "--seal",
];

/// In rounds, as everything.
pub fn all(
    floor: &Runtime,
    bundles: &Bundles,
    effort: Effort,
    report: &mut Report,
) -> Result<(), String> {
    let whole = floor.run(0, false, bundles)?;
    let mut lines: Vec<(Line, Price)> = SWITCHES.map(|switch| with(&whole, switch)).into();
    let filtered = floor.run(0, true, bundles)?;
    lines.push((filtered, Price { switch: "--filter".into(), ..Price::default() }));
    let (begin, mut random) = (Instant::now(), Random(0x2545_f491_4f6c_dd1d));
    for round in 0..WARM_UP + effort.rounds {
        if effort.is_spent(round, begin) {
            break;
        }
        random.shuffle(&mut lines);
        for (line, price) in &mut lines {
            let outcome = line.time().map_err(|error| error.to_string())?;
            if outcome.failed {
                return Err(format!("{} failed: {}", line.shown(), line.complaint()));
            }
            if round >= WARM_UP {
                price.micros.push(outcome.micros);
                price.cpu_micros.push(outcome.cpu_micros);
            }
        }
    }
    let mut prices: Vec<Price> = lines.into_iter().map(|(_, price)| price).collect();
    prices.sort_by_key(|price| {
        SWITCHES.iter().position(|switch| price.switch == *switch).unwrap_or(SWITCHES.len())
    });
    report.prices = prices;
    Ok(())
}

fn with(whole: &Line, switch: &str) -> (Line, Price) {
    let mut line = whole.clone();
    if !switch.is_empty() {
        line.words.insert(1, c(switch));
    }
    (line, Price { switch: switch.into(), ..Price::default() })
}
