package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os/user"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// h2Client speaks HTTP/2 to both kinds of address, since Drive and Watch stream:
// in clear to http://, over TLS to https://.
func h2Client() *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols:       &protocols,
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}}
}

func (a *app) control() corev1connect.ControlServiceClient {
	return corev1connect.NewControlServiceClient(h2Client(), a.settings.Client.Control, connect.WithGRPC())
}

// actor names who runs the command, for the audit topic.
func (a *app) actor() *corev1.Actor {
	name := a.settings.Client.Actor
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	return &corev1.Actor{Name: name, Reason: a.reason}
}

// call bounds a single question to a node.
func (a *app) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.timeout)
}
