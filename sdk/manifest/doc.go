// Package manifest reads, checks and writes a connector's manifest: what it is,
// which jobs and routes it serves, and which endpoints, secrets and keys it
// wants. The author writes manifest.json; the build puts it, encoded, into the
// module's custom section railhead.manifest, so that one file is the whole
// connector. Begin with [ParseJSON] and [FromModule].
//
// The JSON has the field names of sdk.v1.Manifest, in snake_case:
//
//	{
//	  "name": "bank",
//	  "version": "1.0.0",
//	  "kind": "ams",
//	  "jobs": [{"type": "block-funds", "money": true}],
//	  "endpoints": [{"name": "bank", "mode": "keyed"}],
//	  "secrets": ["bank_token"]
//	}
package manifest
