// Package suite compares chat servers: it starts them one after another, puts the
// same load on each, in several rounds, and takes medians and the ratios within a
// round.
//
// All of it happens on one machine, over the loopback interface, so the clients
// compete with the servers for its cores. Absolute numbers are those of the
// machine and of the moment; the ratios within a round are what counts.
package suite
