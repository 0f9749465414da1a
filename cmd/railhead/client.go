package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// http speaks HTTP/2 to both kinds of address, since Drive and Watch stream: in
// clear to http://, over TLS to https://, there with the administrator's
// certificate if one is configured.
func (a *app) http() (*http.Client, error) {
	for key, address := range map[string]string{"control": a.settings.Client.Control, "ops": a.settings.Client.Ops} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, usagef("client.%s: %q is no URL; write http://HOST:PORT, or https:// with certificates", key, address)
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c := a.settings.Client.TLS; c.Cert != "" || c.Key != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, usagef("client.tls: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if ca := a.settings.Client.TLS.CA; ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, usagef("client.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("client.tls.ca: %s holds no certificate", ca)
		}
	}
	return h2Client(config), nil
}

func h2Client(config *tls.Config) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols:       &protocols,
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: config,
	}}
}

// control is the node that the command line talks to.
func (a *app) control() corev1connect.ControlServiceClient {
	return corev1connect.NewControlServiceClient(a.wire, a.settings.Client.Control, connect.WithGRPC())
}

// ops is the back office.
func (a *app) ops() opsv1connect.OpsServiceClient {
	return opsv1connect.NewOpsServiceClient(a.wire, a.settings.Client.Ops, connect.WithGRPC())
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
