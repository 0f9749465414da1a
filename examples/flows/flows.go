// Package flows carries the example flows, so that one binary can deploy them.
// README.md says what they do.
package flows

import "embed"

// Files holds the flows by file name.
//
//go:embed *.bpmn
var Files embed.FS

// PayerFundTransfer is the file of the payer's transfer.
const PayerFundTransfer = "payer-fund-transfer-DFSPID.bpmn"
