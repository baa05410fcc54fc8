//! The commands that a server was sent, and how it looks for what they are about.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use mongodb::{
    Client,
    bson::{Bson, Document, doc},
    event::{EventHandler, command::CommandEvent},
    options::ClientOptions,
};

use super::Databases;

/// What a winning plan names where it finds documents by an index. The last two are how servers of
/// several versions look for an `_id`.
const INDEXED: [&str; 3] = ["IXSCAN", "IDHACK", "EXPRESS"];

impl Databases {
    /// Options for a client whose commands are written down, each of which is one round trip.
    pub async fn watched(&self) -> (ClientOptions, Commands) {
        let mut options = ClientOptions::parse(self.url())
            .await
            .expect("the URL is well-formed");
        let commands = Commands {
            url: self.url().to_owned(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&commands.seen);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event {
                let mut command = started.command;
                command.insert("$db", started.db);
                seen.lock().expect("nobody panics with it").push(command);
            }
        }));
        (options, commands)
    }
}

/// The commands that were sent to a server. Clones share them.
#[derive(Debug, Clone)]
pub struct Commands {
    url: String,
    seen: Arc<Mutex<Vec<Document>>>,
}

/// One thing that a command looked for, and how the server goes about it.
#[derive(Debug)]
pub struct Plan {
    /// The command that was explained: a `find` with the filter and the order of the one that was sent.
    pub query: Document,
    /// The winning plan, as text.
    pub text: String,
}

impl Plan {
    /// Whether documents are found by an index, and none is looked at without one.
    pub fn is_indexed(&self) -> bool {
        INDEXED.iter().any(|stage| self.text.contains(stage)) && !self.text.contains("COLLSCAN")
    }

    /// Whether what was found is put in order afterwards, all of it.
    pub fn sorts(&self) -> bool {
        self.text.contains("\"SORT\"")
    }
}

impl Commands {
    /// Those since it was last asked.
    pub fn take(&self) -> Vec<Document> {
        std::mem::take(&mut self.seen.lock().expect("nobody panics with it"))
    }

    /// Forgets those that were sent so far.
    pub fn reset(&self) {
        self.take();
    }

    /// The names of those that were sent, in their order.
    pub fn names(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("nobody panics with it");
        let name = |command: &Document| command.keys().next().cloned().unwrap_or_default();
        seen.iter().map(name).collect()
    }

    /// The last one, without what cannot be explained: its session and the like.
    pub fn last(&self) -> Document {
        let seen = self.seen.lock().expect("nobody panics with it");
        let mut command = seen.last().expect("a command was sent").clone();
        for field in ["lsid", "$db", "$clusterTime", "txnNumber", "writeConcern"] {
            command.remove(field);
        }
        command
    }

    /// How the server looks for everything that commands looked for since it was last asked.
    pub async fn plans(&self) -> Vec<Plan> {
        self.explain(self.take().iter().flat_map(queries).collect()).await
    }

    /// Fails unless everything that commands looked for since it was last asked is found by an index.
    /// Queries of one shape are explained once. Returns how many shapes there were.
    pub async fn assert_indexed(&self) -> usize {
        let mut shapes = BTreeSet::new();
        let queries = self.take().iter().flat_map(queries).collect::<Vec<_>>();
        let distinct = queries
            .into_iter()
            .filter(|(database, query)| shapes.insert(format!("{database} {}", shape_of(query))))
            .collect();
        let plans = self.explain(distinct).await;
        assert!(!plans.is_empty(), "no command looked for anything");
        let walking: Vec<_> = plans.iter().filter(|plan| !plan.is_indexed()).collect();
        assert!(walking.is_empty(), "without an index: {walking:#?}");
        plans.len()
    }

    async fn explain(&self, queries: Vec<(String, Document)>) -> Vec<Plan> {
        // Another client: what it sends is not written down.
        let client = Client::with_uri_str(&self.url)
            .await
            .expect("the URL is well-formed");
        let mut plans = Vec::new();
        for (database, query) in queries {
            let explain = doc! {"explain": query.clone(), "verbosity": "queryPlanner"};
            let explained = client.database(&database).run_command(explain).await;
            let explained = explained.unwrap_or_else(|error| panic!("{query}: {error}"));
            let plan = explained
                .get_document("queryPlanner")
                .and_then(|planner| planner.get_document("winningPlan"));
            plans.push(Plan {
                text: plan.map_or_else(|_| explained.to_string(), ToString::to_string),
                query,
            });
        }
        plans
    }
}

/// What a command looks for: databases, and finds in them that can be explained. A find
/// is looked for as an update or a delete with its filter is.
fn queries(command: &Document) -> Vec<(String, Document)> {
    let Some((name, Bson::String(collection))) = command.iter().next() else {
        return Vec::new();
    };
    let empty = Document::new();
    let part = |name: &str| command.get_document(name).unwrap_or(&empty);
    let elements = |name: &str| {
        let list = command.get_array(name).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Bson::as_document)
    };
    let finds = match name.as_str() {
        "find" => vec![find(collection, part("filter"), part("sort"))],
        "findAndModify" => vec![find(collection, part("query"), part("sort"))],
        "count" | "distinct" => vec![find(collection, part("query"), &empty)],
        "update" => elements("updates").map(|one| matching(collection, one)).collect(),
        "delete" => elements("deletes").map(|one| matching(collection, one)).collect(),
        "aggregate" => vec![aggregate(collection, command)],
        _ => Vec::new(),
    };
    let database = command.get_str("$db").unwrap_or_default();
    finds
        .into_iter()
        .map(|find| (database.to_owned(), find))
        .collect()
}

fn find(collection: &str, filter: &Document, sort: &Document) -> Document {
    let mut find = doc! {"find": collection, "filter": filter.clone()};
    if !sort.is_empty() {
        find.insert("sort", sort.clone());
    }
    find
}

fn matching(collection: &str, write: &Document) -> Document {
    let filter = write.get_document("q").expect("a write has a filter");
    find(collection, filter, &Document::new())
}

/// An aggregation that begins with a filter finds what that filter does; any other is explained itself.
fn aggregate(collection: &str, command: &Document) -> Document {
    let pipeline = command.get_array("pipeline").expect("an aggregation has stages");
    let stage = |n: usize, name: &str| pipeline.get(n)?.as_document()?.get_document(name).ok();
    if let Some(filter) = stage(0, "$match") {
        return find(collection, filter, stage(1, "$sort").unwrap_or(&Document::new()));
    }
    doc! {"aggregate": collection, "pipeline": pipeline.clone(), "cursor": {}}
}

/// A query without its values, but for the names of collections and the order of sorting.
fn shape_of(query: &Document) -> String {
    let mut shape = query.clone();
    for (name, value) in shape.iter_mut() {
        if name == "filter" || name == "pipeline" {
            erase(value);
        }
    }
    shape.to_string()
}

fn erase(value: &mut Bson) {
    match value {
        Bson::Document(document) => document.iter_mut().for_each(|(_, value)| erase(value)),
        // However many values a `$in` has, it is one query.
        Bson::Array(values) if !values.iter().any(|value| value.as_document().is_some()) => values.clear(),
        Bson::Array(values) => values.iter_mut().for_each(erase),
        other => *other = Bson::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_command_looks_for_what_its_filter_says() {
        let filter = || doc! {"a": 1};
        let expected = [("d".to_owned(), doc! {"find": "c", "filter": filter()})];
        let same = [
            doc! {"find": "c", "filter": filter(), "$db": "d"},
            doc! {"findAndModify": "c", "query": filter(), "$db": "d"},
            doc! {"update": "c", "updates": [{"q": filter(), "u": {}}], "$db": "d"},
            doc! {"delete": "c", "deletes": [{"q": filter(), "limit": 0}], "$db": "d"},
            doc! {"aggregate": "c", "pipeline": [{"$match": filter()}], "$db": "d"},
        ];
        for command in same {
            assert_eq!(queries(&command), expected, "{command}");
        }
        assert_eq!(queries(&doc! {"insert": "c", "documents": [{}], "$db": "d"}), []);
    }

    #[test]
    fn queries_that_differ_in_values_only_are_of_one_shape() {
        let of = |filter| shape_of(&doc! {"find": "c", "filter": filter});
        assert_eq!(of(doc! {"a": {"$in": [1, 2]}}), of(doc! {"a": {"$in": ["x"]}}));
        assert_ne!(of(doc! {"a": 1}), of(doc! {"b": 1}));
    }

    #[tokio::test]
    async fn a_query_without_an_index_is_found_out() {
        let databases = Databases::new().await;
        let (options, commands) = databases.watched().await;
        let name = options.default_database.clone().expect("a test has a name");
        let client = Client::with_options(options).expect("the options are good");
        let collection = client.database(&name).collection::<Document>("c");
        collection
            .insert_many((0..20).map(|n| doc! {"n": n}))
            .await
            .unwrap();
        collection.find_one(doc! {"_id": 1}).await.unwrap();
        collection.find_one(doc! {"_id": 2}).await.unwrap();
        assert_eq!(commands.assert_indexed().await, 1);
        collection.delete_one(doc! {"n": 3}).await.unwrap();
        let plans = commands.plans().await;
        assert!(plans.len() == 1 && !plans[0].is_indexed(), "{plans:?}");
    }
}
