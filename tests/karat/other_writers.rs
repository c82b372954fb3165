//! What other programs may do to a table of karat's, and what the next run does then: the table of `docs/storage.md`, row
//! by row.

use std::fs;

use crate::folder::{Folder, repository};

const ORDERS: &str = "{{ config(materialized='incremental', event_time='day', partition_by='day') }}\n\
                      select id, day from {{ source('raw', 'orders') }}";

const SOURCES: &str = "sources:\n  - name: raw\n    tables:\n      - name: orders\n        location: data/*.csv\n        \
                       columns: [{ name: id, type: integer }, { name: day, type: date }]\n";

/// A deed of another program: its first cell in the table, what it does to the log, and how the next run ends.
struct Deed {
    named: &'static str,
    does: fn(&Shop),
    code: u8,
    says: &'static str,
}

const DEEDS: [Deed; 9] = [
    Deed {
        named: "adds rows",
        does: |shop| {
            let file = shop.file();
            let copy = file.replace("part-", "copy-");
            fs::copy(shop.place(&file), shop.place(&copy)).unwrap();
            shop.commit(&shop.add(&copy, true));
        },
        code: 0,
        says: "something other than karat changed 2023-05-02",
    },
    Deed {
        named: "removes or changes rows, or goes back to an older version",
        does: |shop| shop.commit(&remove(&shop.file(), true)),
        code: 0,
        says: "something other than karat changed 2023-05-02",
    },
    Deed {
        named: "compacts files without changing rows",
        does: |shop| {
            let file = shop.file();
            let copy = file.replace("part-", "compacted-");
            fs::copy(shop.place(&file), shop.place(&copy)).unwrap();
            shop.commit(&format!("{}\n{}", remove(&file, false), shop.add(&copy, false)));
        },
        code: 0,
        says: "nothing changed since it was built",
    },
    Deed {
        named: "commits nothing",
        does: |shop| shop.commit(r#"{"commitInfo":{"operation":"VACUUM END","engineInfo":"another"}}"#),
        code: 0,
        says: "nothing changed since it was built",
    },
    Deed {
        named: "enables a feature or sets a constraint that karat does not support",
        does: |shop| {
            shop.commit(
                r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["quantumRows"],"writerFeatures":["quantumRows"]}}"#,
            );
        },
        code: 1,
        says: "unsupported-table-feature",
    },
    Deed {
        named: "leaves a damaged commit",
        does: |shop| shop.commit(r#"{"add":{"path":"part"#),
        code: 1,
        says: "it is cut off in line 2",
    },
    Deed {
        named: "leaves a damaged checkpoint, or a hint to one that does not exist",
        does: |shop| shop.folder.write("lake/shop/orders/_delta_log/_last_checkpoint", r#"{"version":7,"size":1}"#),
        code: 0,
        says: "it names the checkpoint of version 7, which does not exist",
    },
    Deed {
        named: "removes the table's folder",
        does: |shop| fs::remove_dir_all(shop.folder.root().join("lake/shop/orders")).unwrap(),
        code: 0,
        says: "not built yet",
    },
    Deed {
        named: "removes the ledgers",
        does: |shop| fs::remove_dir_all(shop.folder.root().join("lake/shop/orders/_karat/ledger")).unwrap(),
        code: 0,
        says: "its ledger is lost",
    },
];

struct Shop {
    folder: Folder,
}

impl Shop {
    /// Three rows of three days, built.
    fn built() -> Shop {
        let folder = Folder::new();
        folder.write("project.yml", "name: shop\n");
        folder.write("models/sources.yml", SOURCES);
        folder.write("models/orders.sql", ORDERS);
        folder.write("data/1.csv", "id,day\n1,2023-05-01\n2,2023-05-02\n3,2023-05-03\n");
        folder.karat(&["run", "--quiet"]);
        Shop { folder }
    }

    /// The file of the second day, by its path in the table's folder.
    fn file(&self) -> String {
        let files = self.folder.files("lake/shop/orders/day=2023-05-02");
        files.first().unwrap().trim_start_matches("lake/shop/orders/").to_owned()
    }

    fn place(&self, file: &str) -> std::path::PathBuf {
        self.folder.root().join("lake/shop/orders").join(file)
    }

    fn add(&self, file: &str, changes: bool) -> String {
        let size = fs::metadata(self.place(file)).unwrap().len();
        format!(
            r#"{{"add":{{"path":"{file}","partitionValues":{{"day":"2023-05-02"}},"size":{size},"modificationTime":1,"dataChange":{changes}}}}}"#
        )
    }

    /// What another program commits as the next version.
    fn commit(&self, actions: &str) {
        let version = self.folder.files("lake/shop/orders/_delta_log").len();
        let info = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE","engineInfo":"another"}}"#;
        let path = format!("lake/shop/orders/_delta_log/{version:020}.json");
        self.folder.write(&path, format!("{info}\n{actions}\n"));
    }

    fn rows(&self) -> Vec<Vec<String>> {
        self.folder.query("select id, day from shop.orders order by id")
    }
}

fn remove(file: &str, changes: bool) -> String {
    format!(r#"{{"remove":{{"path":"{file}","deletionTimestamp":1,"dataChange":{changes}}}}}"#)
}

#[test]
fn what_another_writer_does_is_built_anew_left_alone_or_told() {
    for Deed { named, does, code, says } in DEEDS {
        let shop = Shop::built();
        let right = shop.rows();
        does(&shop);
        let answer = shop.folder.try_karat(&["run"]);
        assert!(answer.code == code && answer.printed.contains(says), "{named}: {}\n{}", answer.code, answer.printed);
        if code == 0 {
            assert_eq!(shop.rows(), right, "{named}");
            let again = shop.folder.karat(&["run"]);
            assert!(again.printed.contains("nothing changed since it was built"), "{named}: {}", again.printed);
        }
    }
}

#[test]
fn a_version_of_another_writer_is_not_karats_own_after_its_restore() {
    let shop = Shop::built();
    let right = shop.rows();
    shop.commit(&remove(&shop.file(), true));
    shop.folder.karat(&["run", "--quiet"]);
    assert_eq!(shop.rows(), right);
    shop.folder.karat(&["restore", "orders", "--version", "1", "--quiet"]);
    assert_eq!(shop.rows().len(), 2, "that is what was requested");
    shop.folder.karat(&["run", "--quiet"]);
    assert_eq!(shop.rows(), right, "the next run builds what karat has not written");
}

#[test]
fn each_deed_has_its_row_in_the_documentation() {
    let text = fs::read_to_string(repository().join("docs/storage.md")).unwrap();
    for Deed { named, .. } in DEEDS {
        assert!(text.contains(&format!("| {named} |")), "{named}");
    }
}
