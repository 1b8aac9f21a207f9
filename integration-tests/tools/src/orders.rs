// SPDX-License-Identifier: Apache-2.0
//! The orders that `orders-writer` writes: who owns which, and what is written next.

use serde::{Deserialize, Serialize};

/// Path of the partition key in the containers that the programs make.
pub const PARTITION_KEY_PATH: &str = "/customer";

/// One order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    pub id: String,
    /// The partition key.
    pub customer: String,
    pub status: String,
    /// Cents.
    pub amount: u64,
    /// Grows with every version of the order.
    pub revision: u64,
    pub note: String,
    /// Seconds to live after this version, where the container lets documents expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

const STATUS: [&str; 5] = ["placed", "paid", "packed", "shipped", "delivered"];

/// Names and contents of orders, the same for the same numbers.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Start of every id and customer, so that several runs can share a container.
    pub prefix: String,
    /// Partition keys.
    pub customers: u64,
    /// Characters of the note, which brings a document to its size.
    pub note_length: usize,
    /// Gives one new order in sixteen so many seconds to live, unless it is written again.
    pub seconds_to_live: Option<u32>,
}

impl Catalogue {
    pub fn id(&self, order: u64) -> String {
        format!("{}-{order:08}", self.prefix)
    }

    pub fn customer(&self, customer: u64) -> String {
        format!("{}-customer-{customer:05}", self.prefix)
    }

    pub fn order(&self, customer: u64, order: u64, revision: u64) -> Order {
        Order {
            id: self.id(order),
            customer: self.customer(customer),
            status: STATUS[(revision % STATUS.len() as u64) as usize].to_owned(),
            amount: 100 + (order * 7919) % 100_000,
            revision,
            note: "x".repeat(self.note_length),
            ttl: self
                .seconds_to_live
                .filter(|_| order.is_multiple_of(16) && revision == 0),
        }
    }
}

/// What one writer task knows of the customers that are its own. All writes of a customer go through one task, one after
/// the other, so the order of its writes is the order of their answers.
#[derive(Debug)]
pub struct Shard {
    customers: Vec<u64>,
    /// Order numbers of each customer, as `customers`.
    orders: Vec<Vec<u64>>,
    /// Orders of each customer that were deleted.
    deleted: Vec<Vec<u64>>,
    /// Whether orders are deleted and written anew.
    deletes: bool,
    revision: u64,
}

/// One write to make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    Insert {
        customer: u64,
        order: u64,
    },
    Update {
        customer: u64,
        order: u64,
        revision: u64,
    },
    Delete {
        customer: u64,
        order: u64,
    },
    /// A transaction: the first of the orders is new if `new_first`, the last is deleted if `delete_last`, the rest are
    /// updates.
    Batch {
        customer: u64,
        orders: Vec<u64>,
        new_first: bool,
        delete_last: bool,
        revision: u64,
    },
}

impl Shard {
    /// The customers whose number leaves `task` when divided by `tasks`.
    pub fn new(customers: u64, task: u64, tasks: u64, deletes: bool) -> Self {
        let customers: Vec<u64> = (0..customers).filter(|customer| customer % tasks == task).collect();
        let orders = vec![Vec::new(); customers.len()];
        Self {
            customers,
            deleted: orders.clone(),
            orders,
            deletes,
            revision: 0,
        }
    }

    pub fn customers(&self) -> &[u64] {
        &self.customers
    }

    /// Notes an order that has been written.
    pub fn wrote(&mut self, customer_index: usize, order: u64) {
        self.orders[customer_index].push(order);
    }

    /// Chooses the next write once the first orders are there; `new_order` gives the number of a new one. Three in ten are
    /// inserts, one in ten is a transaction, the rest are updates, half of which go to the same few orders. With deletes,
    /// every fourth of those updates is a delete instead, as is the end of every other transaction, and every other insert
    /// brings a deleted order back.
    pub fn next(&mut self, random: &mut fastrand::Rng, new_order: impl FnOnce() -> u64) -> Option<Step> {
        if self.customers.is_empty() {
            return None;
        }
        self.revision += 1;
        let revision = self.revision;
        let dice = random.u32(0..10);
        let hot = dice >= 4 && random.bool();
        let index = if hot { 0 } else { random.usize(0..self.customers.len()) };
        let customer = self.customers[index];
        let known = &mut self.orders[index];
        let gone = &mut self.deleted[index];
        if dice < 3 || known.is_empty() {
            let back = if gone.is_empty() || random.bool() {
                None
            } else {
                gone.pop()
            };
            let order = back.unwrap_or_else(new_order);
            known.push(order);
            return Some(Step::Insert { customer, order });
        }
        if dice == 3 {
            let new_first = random.bool();
            let mut orders = Vec::new();
            if new_first {
                orders.push(new_order());
            }
            for _ in 0..random.usize(2..8) {
                let order = known[random.usize(0..known.len())];
                if !orders.contains(&order) {
                    orders.push(order);
                }
            }
            let delete_last = self.deletes && orders.len() > 1 && random.bool();
            if delete_last && let Some(last) = orders.last() {
                known.retain(|order| order != last);
                gone.push(*last);
            }
            if new_first {
                known.push(orders[0]);
            }
            return Some(Step::Batch {
                customer,
                orders,
                new_first,
                delete_last,
                revision,
            });
        }
        let among = if hot { known.len().min(3) } else { known.len() };
        let place = random.usize(0..among);
        if self.deletes && random.u32(0..4) == 0 {
            let order = known.swap_remove(place);
            gone.push(order);
            return Some(Step::Delete { customer, order });
        }
        Some(Step::Update {
            customer,
            order: known[place],
            revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shards_divide_the_customers() {
        let mut all: Vec<u64> = (0..3)
            .flat_map(|task| Shard::new(10, task, 3, false).customers().to_vec())
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn every_update_is_of_an_order_of_the_same_customer() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut shard = Shard::new(20, 1, 4, false);
        let mut owner = std::collections::HashMap::new();
        let mut next = 0;
        let (mut inserts, mut updates, mut batches) = (0, 0, 0);
        for _ in 0..10_000 {
            let step = shard.next(&mut random, || {
                next += 1;
                next
            });
            match step.expect("the shard has customers") {
                Step::Insert { customer, order } => {
                    inserts += 1;
                    assert_eq!(owner.insert(order, customer), None);
                }
                Step::Update { customer, order, .. } => {
                    updates += 1;
                    assert_eq!(owner[&order], customer);
                }
                Step::Delete { .. } => panic!("nobody asked for deletes"),
                Step::Batch {
                    customer,
                    orders,
                    new_first,
                    ..
                } => {
                    batches += 1;
                    assert_eq!(
                        orders.iter().collect::<HashSet<_>>().len(),
                        orders.len(),
                        "each order once"
                    );
                    if new_first {
                        assert_eq!(owner.insert(orders[0], customer), None);
                    }
                    assert!(orders.iter().all(|order| owner[order] == customer));
                }
            }
        }
        assert!(
            inserts > 2_000 && updates > 4_000 && batches > 500,
            "{inserts} {updates} {batches}"
        );
    }

    #[test]
    fn only_what_is_there_is_deleted_and_only_what_is_not_is_inserted() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut shard = Shard::new(20, 1, 4, true);
        let (mut there, mut gone) = (HashSet::new(), HashSet::new());
        let (mut deletes, mut returns, mut in_transactions) = (0, 0, 0);
        let mut next = 0;
        for _ in 0..10_000 {
            let step = shard.next(&mut random, || {
                next += 1;
                next
            });
            match step.expect("the shard has customers") {
                Step::Insert { order, .. } => {
                    returns += usize::from(gone.remove(&order));
                    assert!(there.insert(order));
                }
                Step::Update { order, .. } => assert!(there.contains(&order)),
                Step::Delete { order, .. } => {
                    deletes += 1;
                    assert!(there.remove(&order) && gone.insert(order));
                }
                Step::Batch {
                    orders,
                    new_first,
                    delete_last,
                    ..
                } => {
                    if new_first {
                        assert!(there.insert(orders[0]));
                    }
                    assert!(orders.iter().all(|order| there.contains(order)));
                    if delete_last {
                        in_transactions += 1;
                        let last = orders.last().expect("not empty");
                        assert!(there.remove(last) && gone.insert(*last));
                    }
                }
            }
        }
        assert!(
            deletes > 1_000 && returns > 500 && in_transactions > 200,
            "{deletes} {returns} {in_transactions}"
        );
    }
}
