//! What the keys do.

use super::Tour;
use super::screen::Screen;
use super::walk::Call;
use crate::error::Result;

/// Lines that PgUp and PgDn move, and more than anything has.
const PAGE: isize = 10;
const LONG: usize = 100_000;

impl Tour {
    /// Does what this key is for.
    pub fn key(&mut self, key: char, screen: &mut Screen) -> Result<()> {
        self.message.clear();
        match key {
            '\x03' => self.is_over = true,
            _ if self.is_typing => self.typed(key),
            _ if self.is_helping => self.is_helping = false,
            'q' => self.is_over = true,
            '→' | 'n' | ' ' => return self.forward(screen),
            '←' | 'p' => self.go_to(self.at.saturating_sub(1), None),
            '\t' => self.pane = (self.pane + 1) % 3,
            '⇤' => self.pane = (self.pane + 2) % 3,
            '1' => self.pane = 0,
            '2' => self.pane = 1,
            '3' => self.pane = 2,
            '/' => (self.is_typing, self.search) = (true, String::new()),
            '?' => self.is_helping = true,
            's' => return self.shell(screen),
            '↑' | 'k' => self.scroll(-1),
            '↓' | 'j' => self.scroll(1),
            '⇞' => self.scroll(-PAGE),
            '⇟' => self.scroll(PAGE),
            'g' => self.scroll(isize::MIN / 2),
            'G' => self.scroll(isize::MAX / 2),
            _ => {}
        }
        Ok(())
    }

    /// The next step: one that was made, or one that is to be made now.
    fn forward(&mut self, screen: &mut Screen) -> Result<()> {
        if self.at + 1 < self.walk.steps.len() {
            self.go_to(self.at + 1, None);
            return Ok(());
        }
        let rests = self.rests().map(|stage| stage.name);
        let Some(live) = &mut self.live else {
            self.message = "this is the end; ← goes back, q leaves".into();
            return Ok(());
        };
        match rests {
            // It is on its way, or has ended.
            None => return Ok(()),
            // Sealed, jec looks at the modes of the terminal anew, to restore those.
            Some("seal") => screen.cooked()?,
            Some("exec") => screen.leave()?,
            _ => {}
        }
        live.go()?;
        self.tell(screen);
        Ok(())
    }

    fn shell(&mut self, screen: &mut Screen) -> Result<()> {
        let Some(live) = self.live.as_mut().filter(|live| live.rests.is_some()) else {
            self.message = "nothing rests here: jec tour --run walks where a shell can be".into();
            return Ok(());
        };
        screen.leave()?;
        live.shell()?;
        self.tell(screen);
        Ok(())
    }

    /// Looks at a step; at this call of it, or at the first that its own module makes.
    pub fn go_to(&mut self, at: usize, call: Option<usize>) {
        let own = |call: &Call| call.file == self.walk.steps[at].file();
        let calls = self.walk.steps.get(at).map(|step| &step.calls);
        let first = calls.and_then(|calls| calls.iter().position(own)).unwrap_or(0);
        (self.at, self.call) = (at, call.unwrap_or(first));
        (self.source, self.scroll) = (None, 0);
    }

    fn scroll(&mut self, by: isize) {
        let moved = |from: usize, last: usize| from.saturating_add_signed(by).min(last);
        match self.pane {
            0 => self.go_to(moved(self.at, self.walk.steps.len().saturating_sub(1)), None),
            1 if by.abs() == 1 => {
                let last = self.step().map_or(0, |step| step.calls.len().saturating_sub(1));
                (self.call, self.source) = (moved(self.call, last), None);
            }
            1 => self.source = Some(moved(self.source.unwrap_or(self.shown.get()), LONG)),
            _ => self.scroll = moved(self.scroll, LONG),
        }
    }

    fn typed(&mut self, key: char) {
        match key {
            '\r' | '\n' => {
                self.is_typing = false;
                self.find();
            }
            '\x1b' => self.is_typing = false,
            '\x7f' | '\x08' => drop(self.search.pop()),
            key => self.search.push(key),
        }
    }

    /// The next stage or call with these words, from here on, and then from the beginning.
    fn find(&mut self) {
        let (count, word) = (self.walk.steps.len(), &self.search);
        for at in (0..=count).map(|further| (self.at + further) % count.max(1)) {
            let step = &self.walk.steps[at];
            let is_here = at == self.at;
            let after = if is_here { self.call + 1 } else { 0 };
            let found = step.calls.iter().skip(after).position(|call| call.named.contains(word));
            if !is_here && step.name.contains(word) {
                return self.go_to(at, None);
            }
            if let Some(found) = found {
                self.pane = 1;
                return self.go_to(at, Some(found + after));
            }
        }
        self.message = format!("no stage and no call has {word:?}");
    }
}
