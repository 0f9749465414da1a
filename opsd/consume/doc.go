// Package consume reads the core's two topics and hands what it read to the
// store, batch by batch, with the positions behind each batch.
//
// Positions live in the store and nowhere else: partitions are assigned directly
// and read from where the database says, since only the database knows what is
// stored. There is no consumer group and so no rebalance; of several opsd on one
// database one holds the claim and the others wait for it. Positions are also
// committed to Kafka under a group's name, for the eyes of lag tools only.
//
// Kafka being away means waiting; the database being away means trying the same
// batch again. A record that cannot be read goes to the dead letters and its
// partition flows on. When a newer version starts it tries the dead letters first.
//
// Begin with Consumer.Run.
package consume
