package engine

// Version is the behaviour this engine has when it is asked for all it knows. A
// cluster begins with the Version of the node that bootstraps it, and goes on to a
// later one by SetVersion, once all of its nodes know it: what a version adds is off
// until then, so that nodes of different versions reach the same rows. A node whose
// program does not know the cluster's version cannot go on; core/replica stops it.
//
//	1  the first
//	2  rows count the payments that keep a connector's digest; timelines keep what
//	   attempts were answered; frames are forwarded; versions of connectors have
//	   canaries, rollbacks, revocations and schedules, and rows say who put them there
const Version = versionPins
