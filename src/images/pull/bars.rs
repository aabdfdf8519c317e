//! A bar a layer, below each other.

use std::sync::{Mutex, PoisonError};

use crate::images::bar::{Bar, is_shown, show};

/// Bars of several layers that come at the same time.
pub struct Bars {
    bars: Vec<Bar>,
    done: Mutex<(Vec<u64>, bool)>,
}

impl Bars {
    /// Of what, and how long each will be. In a pipe nothing is drawn.
    pub fn new(layers: &[(String, u64)]) -> Self {
        let shown = if is_shown() { layers } else { &[] };
        let bars: Vec<_> =
            shown.iter().map(|(what, size)| Bar::new(what.clone(), Some(*size))).collect();
        Self { done: Mutex::new((vec![0; bars.len()], false)), bars }
    }

    /// So many bytes of a layer are there.
    pub fn at(&self, layer: usize, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = done.0.get_mut(layer) else { return };
        *place = bytes;
        if self.bars[layer].is_due() || bytes == 0 {
            let up = if done.1 { format!("\x1b[{}A", self.bars.len()) } else { String::new() };
            done.1 = true;
            let lines = self.bars.iter().zip(&done.0);
            let lines: Vec<_> = lines.map(|(bar, bytes)| bar.line(*bytes)).collect();
            show(&format!("{up}\r\x1b[K{}\n", lines.join("\n\x1b[K")));
        }
    }
}

impl Drop for Bars {
    /// Nothing of them remains.
    fn drop(&mut self) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.1 {
            show(&format!("\x1b[{}A\x1b[J", self.bars.len()));
        }
    }
}
