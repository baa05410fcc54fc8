//! The ports on one MongoDB database. Every change is one of a single document, or one that may be
//! repeated, so that no transaction is needed.

mod batches;
mod document;
mod letters;
mod operations;
mod query;

use std::sync::Arc;

use mongodb::{
    IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
};
use waybill::mongo::{Collection, Database, Indexes};

use self::{document::LetterDocument, operations::OperationDocument};
use crate::ports::Stores;

const LETTERS: &str = "dead_letters";
const OPERATIONS: &str = "operations";
const LEASES: &str = "leases";

/// The ports on one MongoDB database.
#[derive(Debug, Clone)]
pub struct MongoOperations {
    letters: Collection<LetterDocument>,
    operations: Collection<OperationDocument>,
    leases: Collection<Document>,
    indexes: [Indexes; 2],
}

impl MongoOperations {
    /// The ports on `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            letters: database.collection(LETTERS),
            operations: database.collection(OPERATIONS),
            leases: database.collection(LEASES),
            indexes: [
                Indexes::new(database.collection(LETTERS), of_letters()),
                Indexes::new(database.collection(OPERATIONS), of_operations()),
            ],
        }
    }

    /// The indexes that its queries need.
    pub fn indexes(&self) -> Vec<Indexes> {
        self.indexes.to_vec()
    }

    /// It, as every port.
    pub fn stores(&self) -> Stores {
        Stores {
            intake: Arc::new(self.clone()),
            dead_letters: Arc::new(self.clone()),
            batches: Arc::new(self.clone()),
            sending: Arc::new(self.clone()),
            operations: Arc::new(self.clone()),
            work: Arc::new(self.clone()),
        }
    }
}

/// One index for each set of things that letters may be looked for by, all in the order in which they
/// are shown; one for batches, one for what may be forgotten.
fn of_letters() -> Vec<IndexModel> {
    let sets: [&[&str]; 9] = [
        &[],
        &["consumer"],
        &["event_type"],
        &["reason"],
        &["consumer", "event_type"],
        &["consumer", "reason"],
        &["event_type", "reason"],
        &["consumer", "event_type", "reason"],
        &["order_id"],
    ];
    let mut models: Vec<_> = sets
        .iter()
        .map(|fields| {
            let mut keys = doc! {"phase": 1};
            keys.extend(fields.iter().map(|field| ((*field).to_owned(), 1.into())));
            keys.extend(doc! {"last_failure": -1, "_id": -1});
            index(keys, None)
        })
        .collect();
    models.push(index(
        doc! {"batch": 1, "state": 1, "last_failure": 1, "_id": 1},
        Some(doc! {"batch": {"$exists": true}}),
    ));
    models.push(index(doc! {"phase": 1, "was_discarded": 1, "changed": 1}, None));
    models
}

fn of_operations() -> Vec<IndexModel> {
    vec![
        index(doc! {"create_time": -1, "_id": -1}, None),
        index(doc! {"ended": 1, "create_time": 1, "_id": 1}, None),
    ]
}

fn index(keys: Document, partial: Option<Document>) -> IndexModel {
    let mut options = IndexOptions::default();
    options.partial_filter_expression = partial;
    IndexModel::builder().keys(keys).options(options).build()
}
