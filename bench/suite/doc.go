// Package suite compares chat servers: it starts them one after another, puts the
// same load on each, in several rounds, and takes medians, and medians of the ratios
// within a round.
//
// Clients and servers share the cores of one machine, over the loopback interface.
// Absolute numbers depend on the machine and the hour, so compare the ratios.
package suite
