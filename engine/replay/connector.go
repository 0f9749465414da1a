package replay

import (
	"encoding/binary"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A replay has one connector for every job. Which versions served the recorded life is
// not among the payment's events, but what a revocation did to it is: incidents. So the
// connector's version is revoked around the inputs from which these followed.

// connectorName is the one connector's.
const connectorName = "replay"

// revoker is who revokes in a replay; a tenant's events are not the payment's.
var revoker = &enginev1.Actor{Name: "replay", Reason: "as it was then"}

func (p *player) digest() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 24, 32), p.version)
}

// serveNext lets the connector's next version serve.
func (p *player) serveNext() {
	p.version++
	p.apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: connectorName, Digest: p.digest(), JobTypes: p.types},
	}}})
	p.apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: p.tenant, Connector: connectorName, Digest: p.digest(),
	}}})
}

// revoke takes a version out of service. One before it was revoked before it, so
// without a next one nothing serves.
func (p *player) revoke(digest []byte) {
	p.apply(&enginev1.Command{Verb: &enginev1.Command_RevokeConnector{RevokeConnector: &enginev1.RevokeConnector{
		Connector: connectorName, Digest: digest, Actor: revoker,
	}}})
}

// around takes an input with the connector as it was then.
func (p *player) around(in *input, take func()) {
	if !in.revoked {
		take()
		return
	}
	p.revoke(p.digest())
	take()
	p.serveNext()
}

// spare lets a failed attempt cost nothing where the recorded one went on although no
// attempt was left: its version had been taken back by then, which costs no retry.
func (p *player) spare(job *enginev1.Job, in *input) {
	if in.final || in.revoked || job.Compensating {
		return
	}
	if job.Retries == 0 || in.event.Code == engine.CodeAttemptRevoked {
		before := p.digest()
		p.serveNext()
		p.revoke(before)
	}
}
