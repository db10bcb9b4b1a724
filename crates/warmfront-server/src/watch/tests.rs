use super::*;

/// How long the system may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A directory with a template, an imported file, code and a site.
struct World {
    root: tempfile::TempDir,
    watch: Watch,
    code: Tree,
    site: Tree,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["code/lib", "code/node_modules/x", "code/.state", "site/a"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("template.yml"), "1").unwrap();
        let (code, site) = (root.path().join("code"), root.path().join("site"));
        let (code, site) = (Tree::Code(code).absolute(), Tree::Content(site).absolute());
        let mut watch = Watch::start(vec![root.path().join("code/own")]).unwrap();
        fs::write(root.path().join("code/inner.yml"), "1").unwrap();
        let files = ["template.yml", "not-there.yml", "code/inner.yml"];
        let files = files.map(|file| root.path().join(file));
        // The files were saved before they were read.
        let read = SystemTime::now() + Duration::from_secs(1);
        let problems = watch.follow(&files, &[code.clone(), site.clone()], read);
        assert_eq!(problems, Vec::<String>::new());
        Self { root, watch, code, site }
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.path().join(path), text).unwrap();
    }

    #[track_caller]
    fn hears(&mut self, source: bool, trees: &[&Tree]) {
        let saved = runtime().block_on(async { timeout(PATIENCE, self.watch.saved()).await });
        let trees = trees.iter().map(|tree| (*tree).clone()).collect();
        assert_eq!(saved.expect("something was saved"), Saved { source, trees });
    }
}

#[test]
fn each_kind_of_save_is_told_as_what_it_is() {
    let mut world = World::new();
    let (code, site) = (world.code.clone(), world.site.clone());
    world.write("template.yml", "22");
    world.hears(true, &[]);
    world.write("not-there.yml", "now it is");
    world.hears(true, &[]);
    world.write("template.yml.new", "333");
    let there = world.root.path().join("template.yml");
    fs::rename(world.root.path().join("template.yml.new"), there).unwrap();
    world.hears(true, &[]);
    world.write("code/inner.yml", "22");
    world.hears(true, &[]);
    world.write("code/index.js", "1");
    world.hears(false, &[&code]);
    world.write("site/a/index.html", "1");
    world.hears(false, &[&site]);
    fs::remove_file(world.root.path().join("site/a/index.html")).unwrap();
    world.hears(false, &[&site]);
}

#[test]
fn a_new_directory_is_watched_from_its_first_moment() {
    let mut world = World::new();
    let code = world.code.clone();
    fs::create_dir(world.root.path().join("code/new")).unwrap();
    world.hears(false, &[&code]);
    world.write("code/new/part.js", "1");
    world.hears(false, &[&code]);
}

#[test]
fn a_directory_that_was_built_anew_is_watched_again() {
    let mut world = World::new();
    let site = world.site.clone();
    for number in 0..3 {
        fs::remove_dir_all(world.root.path().join("site")).unwrap();
        if number > 0 {
            // Seen to be gone, and then to be back.
            world.hears(false, &[&site]);
        }
        fs::create_dir(world.root.path().join("site")).unwrap();
        world.hears(false, &[&site]);
        world.write("site/index.html", "1");
        world.hears(false, &[&site]);
    }
}

#[test]
fn a_file_behind_symbolic_links_is_followed_wherever_one_of_them_changes() {
    use std::os::unix::fs::symlink;
    let mut world = World::new();
    let at = |path: &str| world.root.path().join(path);
    // As Kubernetes mounts a ConfigMap, and as releases are deployed.
    for release in ["one", "two"] {
        fs::create_dir_all(at("releases").join(release)).unwrap();
        fs::write(at("releases").join(release).join("real.yml"), release).unwrap();
    }
    fs::create_dir_all(at("config")).unwrap();
    symlink("../releases/one", at("config/..data")).unwrap();
    symlink("..data/real.yml", at("config/template.yml")).unwrap();
    let template = at("config/template.yml");
    let turned = (at("config/..data_tmp"), at("config/..data"));
    let read = SystemTime::now() + Duration::from_secs(1);
    world.watch.follow(&[template], &[], read);
    world.write("releases/one/real.yml", "saved in place");
    world.hears(true, &[]);
    symlink("../releases/two", &turned.0).unwrap();
    fs::rename(&turned.0, &turned.1).unwrap();
    world.hears(true, &[]);
    world.write("releases/two/real.yml", "saved in the new place");
    world.hears(true, &[]);
}

#[test]
fn a_directory_that_a_link_leads_to_changes_with_the_link() {
    use std::os::unix::fs::symlink;
    let mut world = World::new();
    let at = |path: &str| world.root.path().join(path);
    for release in ["one", "two"] {
        fs::create_dir_all(at("releases").join(release)).unwrap();
    }
    symlink("releases/one", at("current")).unwrap();
    let (current, next) = (at("current"), at("next"));
    let code = at("code");
    let named = [Tree::Content(current.clone()), Tree::Code(code.clone())];
    world.watch.follow(&[], &named, SystemTime::now());
    symlink("releases/two", &next).unwrap();
    fs::rename(&next, &current).unwrap();
    let two = named[0].absolute();
    assert!(two.path().ends_with("releases/two"));
    world.hears(false, &[&two]);
    world.watch.follow(&[], &named, SystemTime::now());
    world.write("releases/two/index.html", "1");
    world.hears(false, &[&two]);
    // A mounted ConfigMap.
    symlink("lib", code.join("..data")).unwrap();
    let code = world.code.clone();
    world.hears(false, &[&code]);
}

#[test]
fn a_source_that_was_gone_with_its_directory_is_heard_when_it_is_back() {
    let mut world = World::new();
    let template = world.root.path().join("deep/er/template.yml");
    fs::create_dir_all(template.parent().unwrap()).unwrap();
    world.write("deep/er/template.yml", "1");
    let read = SystemTime::now() + Duration::from_secs(1);
    world.watch.follow(std::slice::from_ref(&template), &[], read);
    fs::remove_dir_all(world.root.path().join("deep")).unwrap();
    world.hears(true, &[]);
    fs::create_dir_all(template.parent().unwrap()).unwrap();
    world.write("deep/er/template.yml", "22");
    world.hears(true, &[]);
    world.write("deep/er/template.yml", "333");
    world.hears(true, &[]);
}

#[test]
fn what_does_not_count_is_passed_over() {
    let mut world = World::new();
    world.write("unrelated.yml", "1");
    for path in [
        "code/node_modules/x/index.js",
        "code/.state/x",
        "code/out.log",
        "code/index.js~",
        "code/own",
    ] {
        world.write(path, "1");
    }
    fs::read(world.root.path().join("template.yml")).unwrap();
    // Told last, and alone: whatever came before would have been told with it.
    world.write("template.yml", "22");
    world.hears(true, &[]);
}

#[test]
fn a_tree_below_a_directory_of_ours_is_followed_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let code = root.path().join("logs/code");
    fs::create_dir_all(&code).unwrap();
    let code = Tree::Code(code).absolute();
    let mut watch = Watch::start(vec![root.path().join("logs")]).unwrap();
    watch.follow(&[], std::slice::from_ref(&code), SystemTime::now());
    fs::write(code.path().join("index.js"), "1").unwrap();
    let saved = runtime().block_on(async { timeout(PATIENCE, watch.saved()).await });
    assert_eq!(saved.expect("something was saved").trees, [code]);
}

#[test]
fn a_save_between_reading_and_following_is_not_lost() {
    let mut world = World::new();
    let (template, late) =
        (world.root.path().join("template.yml"), world.root.path().join("late.yml"));
    let trees = [world.code.clone(), world.site.clone()];
    world.write("template.yml", "22");
    world.hears(true, &[]);
    let read = SystemTime::now() - Duration::from_secs(1);
    world.write("template.yml", "333");
    world.watch.follow(std::slice::from_ref(&template), &trees, read);
    world.hears(true, &[]);
    // A file that the source names only now.
    world.write("late.yml", "1");
    world.watch.follow(&[template, late], &trees, read);
    world.hears(true, &[]);
}

#[test]
fn a_flood_of_changes_means_that_everything_changed() {
    let mut world = World::new();
    for number in 0..=MAX_PENDING {
        let path = PathBuf::from(format!("/elsewhere/{number}"));
        let kind = EventKind::Create(notify::event::CreateKind::File);
        world.watch.inbox.hear(Ok(Event::new(kind).add_path(path)));
    }
    let (code, site) = (world.code.clone(), world.site.clone());
    world.hears(true, &[&code, &site]);
}
