//! `jec image`: what is in the store.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::state::print;
use super::{image_changes, open_proc};
use crate::cli::{Global, ImageArgs, ImageCommand, ImageNameArgs, ImportArgs};
use crate::error::{Error, Failure, Result};
use crate::images::image::Image;
use crate::images::source::Source;
use crate::images::store::Store;
use crate::images::{as_mapped_root, import, merged, tree};
use crate::state::States;
use crate::sys::{directory, file};

/// Lists, shows, adds, removes.
pub fn run(global: &Global, args: &ImageArgs) -> Result<u8, Failure> {
    match &args.command {
        Some(ImageCommand::Diff(args)) => return image_changes::diff(global, args),
        Some(ImageCommand::Commit(args)) => return image_changes::commit(global, args),
        _ => {}
    }
    let store = Store::open()?;
    match &args.command {
        None => list(&store, args.json),
        Some(ImageCommand::List(args)) => list(&store, args.json),
        Some(ImageCommand::Show(args)) => show(&store, args),
        Some(ImageCommand::Tree(args)) => layers(&store, args).map_err(Into::into),
        Some(ImageCommand::Import(args)) => add(&store, args).map_err(Into::into),
        Some(ImageCommand::Rm(args)) => remove(global, &store, &args.names),
        Some(ImageCommand::Diff(_) | ImageCommand::Commit(_)) => Ok(0),
        Some(ImageCommand::Prune) => prune(global, &store),
    }
}

/// The names of an image.
fn names(store: &Store, image: &Image) -> Vec<String> {
    let names = store.names().into_iter().filter(|(_, id)| *id == image.id);
    names.map(|(name, _)| name).collect()
}

/// Bytes of all layers, unpacked.
fn size(store: &Store, image: &Image) -> Result<u64> {
    image.stack().into_iter().map(|layer| Ok(store.unpacked(layer)?.bytes)).sum()
}

fn list(store: &Store, as_json: bool) -> Result<u8, Failure> {
    let mut all = Vec::new();
    for image in store.all()? {
        let (names, size) = (names(store, &image), size(store, &image)?);
        let created = image.config.created().clone();
        all.push(json!({"id": image.id, "names": names, "created": created,
            "layers": image.layers.len(), "size": size}));
    }
    if as_json {
        return print(&all);
    }
    let mut rows = vec![["NAME", "ID", "LAYERS", "SIZE", "CREATED"].map(String::from)];
    for one in &all {
        let short = one["id"].as_str().unwrap_or_default().get(7..19).unwrap_or_default();
        let names = one["names"].as_array().map_or(&[][..], |names| names);
        let names = if names.is_empty() { &[json!("-")] } else { names };
        rows.extend(names.iter().map(|name| {
            let size = human(one["size"].as_u64().unwrap_or(0));
            [text(name), short.into(), one["layers"].to_string(), size, text(&one["created"])]
        }));
    }
    table(&rows);
    Ok(0)
}

/// A text of an image, with nothing that a terminal would take for an order.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or("-");
    text.replace(char::is_control, " ")
}

/// Columns as wide as what is in them. A reader that has seen enough is no error.
fn table<const N: usize>(rows: &[[String; N]]) {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| format!("{cell:0$}", width(at) + 3));
        let line = cells.collect::<String>();
        drop(writeln!(io::stdout(), "{}", line.trim_end()));
    }
}

/// Bytes with one digit behind the point.
fn human(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift > 0);
    unit.map_or(format!("{bytes} B"), |(shift, name)| {
        let tenths = (u128::from(bytes) * 10) >> shift;
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    })
}

fn show(store: &Store, args: &ImageNameArgs) -> Result<u8, Failure> {
    let image = store.find(&args.name)?;
    let mut layers = Vec::new();
    for layer in &image.layers {
        let unpacked = store.unpacked(&layer.diff_id)?;
        layers.push(json!({"diffId": layer.diff_id, "digest": layer.digest, "size": layer.size,
            "unpacked": unpacked.bytes, "members": unpacked.members,
            "path": store.layer(&layer.diff_id)}));
    }
    let whole = json!({"id": image.id, "manifest": image.manifest, "names": names(store, &image),
        "layers": layers, "config": image.config});
    if args.json {
        return print(&whole);
    }
    let mut out = io::stdout();
    drop(writeln!(out, "id        {}\nnames     {}", image.id, names(store, &image).join(" ")));
    drop(writeln!(out, "platform  {}/{}", image.config.os(), image.config.architecture()));
    drop(writeln!(out, "created   {}", text(&whole["config"]["created"])));
    for (name, value) in whole["config"]["config"].as_object().into_iter().flatten() {
        drop(writeln!(out, "{name:<12}  {value}"));
    }
    drop(writeln!(out));
    table(&layer_rows(&image, &layers));
    Ok(0)
}

/// A row a layer, the topmost last, with the step of the history that made it.
fn layer_rows(image: &Image, layers: &[Value]) -> Vec<[String; 6]> {
    let head = ["LAYER", "DIFF ID", "BLOB", "UNPACKED", "MEMBERS", "MADE BY"];
    let mut rows = vec![head.map(String::from)];
    let mut left = layers.iter().enumerate();
    let step = |by: String, found: Option<(usize, &Value)>| {
        let Some((at, layer)) = found else {
            return ["-", "", "", "", "", &by].map(String::from);
        };
        let digits = layer["diffId"].as_str().unwrap_or_default().get(7..19).unwrap_or_default();
        let bytes = |name: &str| human(layer[name].as_u64().unwrap_or(0));
        let members = layer["members"].to_string();
        [(at + 1).to_string(), digits.into(), bytes("size"), bytes("unpacked"), members, by]
    };
    for made in image.config.history().iter().flatten() {
        let is_empty = made.empty_layer().unwrap_or(false);
        let by = made.created_by().clone().or_else(|| made.comment().clone()).unwrap_or_default();
        let by = text(&json!(by)).split_whitespace().collect::<Vec<_>>().join(" ");
        rows.push(step(by, if is_empty { None } else { left.next() }));
    }
    rows.extend(left.map(|one| step(String::new(), Some(one))));
    rows
}

fn layers(store: &Store, args: &ImageNameArgs) -> Result<u8> {
    let image = store.find(&args.name)?;
    let paths: Vec<PathBuf> = image.stack().into_iter().map(|layer| store.layer(layer)).collect();
    let stack = merged::open(paths.iter().map(PathBuf::as_path))?;
    // Directories of other ids may be closed to this one.
    as_mapped_root(|_| tree::print(&stack, args.json))?;
    Ok(0)
}

fn add(store: &Store, args: &ImportArgs) -> Result<u8> {
    let source = Source::parse(&args.source)?;
    let (image, name) = import::import(store, &source, args.name.as_deref())?;
    drop(writeln!(io::stdout(), "{}  {}", image.id, name.unwrap_or_default()));
    Ok(0)
}

/// The layers of containers that have not been deleted yet, whoever started them.
fn in_use(global: &Global) -> Result<Vec<(String, PathBuf)>> {
    let states = States::open(global.root.as_deref(), open_proc()?)?;
    let mut all = Vec::new();
    for id in states.ids()? {
        let container = match states.find(&id) {
            // Somebody removes it at this moment.
            Err(Error::State { .. }) => continue,
            other => other?,
        };
        let layers = container.state.annotations.get("jec.overlay.lower").cloned();
        let layers = layers.unwrap_or_default();
        all.extend(layers.split(':').map(|path| (id.clone(), PathBuf::from(path))));
    }
    Ok(all)
}

fn refuse_in_use(store: &Store, image: &Image, used: &[(String, PathBuf)]) -> Result<()> {
    let has = |path: &PathBuf| image.stack().into_iter().any(|layer| store.layer(layer) == *path);
    let user = used.iter().find(|(_, path)| has(path));
    user.map_or(Ok(()), |(id, _)| {
        let problem = format!("the container {id} runs from it: jec delete --force {id}");
        Err(Error::config(image.id.to_string(), problem))
    })
}

fn remove(global: &Global, store: &Store, words: &[String]) -> Result<u8, Failure> {
    store.alone()?;
    let used = in_use(global)?;
    for word in words {
        let image = store.find(word)?;
        if let Some((name, _)) = store.named(word).filter(|_| names(store, &image).len() > 1) {
            store.forget_name(&name)?;
            continue;
        }
        refuse_in_use(store, &image, &used)?;
        store.remove(&image)?;
    }
    freed(store, &used)
}

fn prune(global: &Global, store: &Store) -> Result<u8, Failure> {
    store.alone()?;
    let used = in_use(global)?;
    for image in store.all()? {
        let is_free =
            names(store, &image).is_empty() && refuse_in_use(store, &image, &used).is_ok();
        if is_free {
            store.remove(&image)?;
        }
    }
    let pulls = store.pulls()?;
    for name in directory::names(pulls.as_fd())? {
        file::remove(pulls.as_fd(), &name, false)?;
    }
    freed(store, &used)
}

fn freed(store: &Store, used: &[(String, PathBuf)]) -> Result<u8, Failure> {
    let kept: Vec<PathBuf> = used.iter().map(|(_, path)| path.clone()).collect();
    let bytes = store.prune(&kept)?;
    drop(writeln!(io::stdout(), "{} freed", human(bytes)));
    Ok(0)
}
