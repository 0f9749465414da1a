package abi

// ContractMinor is the minor version of the contract (sdk/v1/connector.proto) that this
// host and the SDKs beside it speak. A module names the one it was built with in
// Manifest.contract: an earlier host, which would not understand all of it, refuses it,
// and a later one does not. It goes up by one with a release that adds a trigger, an
// effect, an outcome, or a field that a host must not pass over. The major version is
// [ExportMarker].
//
//	0  a module that does not say
//	1  the first that is named: all of the present contract
const ContractMinor = 1
