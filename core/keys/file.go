package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// fileMax bounds a key's file in bytes.
const fileMax = 256 << 10

// file is a key's file. It is looked at with every use and read again when it has
// changed. A file that cannot be understood, as one that is being written, leaves
// the keys that were read before; one that is gone, or that others may read, leaves
// none.
type file struct {
	path, name string // name is for people
	encoding   string
	fit        func(*software) error
	log        *slog.Logger

	mu    sync.RWMutex // held for reading while a key is used
	stamp stamp
	keys  []*software
	err   error
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
	info     fs.FileInfo // for os.SameFile: a volume's update replaces the file
}

func (s stamp) same(info fs.FileInfo) bool {
	return s.info != nil && s.modified.Equal(info.ModTime()) && s.size == info.Size() && s.mode == info.Mode() && os.SameFile(s.info, info)
}

// use calls f with the file's keys, newest first.
func (f *file) use(do func([]*software) error) error {
	if err := f.refresh(); err != nil {
		return err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.err != nil {
		return f.err
	}
	return do(f.keys)
}

func (f *file) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		f.forget()
		return f.fault(err)
	}
	f.mu.RLock()
	same := f.stamp.same(info)
	f.mu.RUnlock()
	if same {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stamp.same(info) {
		return nil
	}
	found, info, err := f.read()
	if err != nil && (info == nil || errors.Is(err, errMode)) {
		f.drop()
		return err
	}
	f.stamp = stamp{info.ModTime(), info.Size(), info.Mode(), info}
	switch {
	case err == nil:
		f.drop()
		f.stamp = stamp{info.ModTime(), info.Size(), info.Mode(), info}
		f.keys = found
	case f.keys != nil:
		f.log.Error("a key's file has changed and cannot be used; the key it held before is", "key", f.name, "err", err)
	default:
		f.err = err
	}
	return nil
}

// forget zeroes the keys; the next use reads the file again.
func (f *file) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
}

func (f *file) drop() {
	for _, k := range f.keys {
		k.forget()
	}
	f.keys, f.err, f.stamp = nil, nil, stamp{}
}

var errMode = errors.New("others than its owner may read it; chmod 600")

// fault names the key and not the path, which belongs to the node.
func (f *file) fault(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return fmt.Errorf("the file of %s cannot be used: %w", f.name, err)
}

func (f *file) read() ([]*software, fs.FileInfo, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, nil, f.fault(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, nil, f.fault(err)
	}
	if !info.Mode().IsRegular() || info.Size() > fileMax {
		return nil, info, f.fault(fmt.Errorf("it is no file of at most %d bytes", fileMax))
	}
	text := make([]byte, info.Size())
	defer clear(text)
	n, err := io.ReadFull(in, text)
	if err != nil {
		return nil, info, f.fault(err)
	}
	found, err := parse(text[:n], f.encoding)
	if err != nil {
		return nil, info, f.fault(err)
	}
	for _, k := range found {
		public := k.private == nil && k.secret == nil
		if perm := info.Mode().Perm(); !public && perm&0o077 != 0 || perm&0o022 != 0 {
			err = errMode
		} else {
			err = f.fit(k)
		}
		if err != nil {
			for _, k := range found {
				k.forget()
			}
			return nil, info, f.fault(err)
		}
	}
	return found, info, nil
}

// parse reads a key's file. It keeps no part of text.
func parse(text []byte, encoding string) ([]*software, error) {
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		secret, err := parseSecret(text, encoding)
		if err != nil {
			return nil, err
		}
		return []*software{{secret: secret}}, nil
	}
	var found []*software
	for len(found) < versionsMax {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		k, err := parseBlock(block)
		if block.Type == "PRIVATE KEY" { // a parsed public key may be a part of its block
			clear(block.Bytes)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, k)
	}
	if len(found) == 0 {
		return nil, errors.New("it holds no PEM block")
	}
	return found, nil
}

func parseBlock(block *pem.Block) (*software, error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its private key is not sound PKCS #8")
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, errors.New("its private key is of a kind that does not sign")
		}
		return &software{private: signer, public: signer.Public()}, nil
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its public key is not sound")
		}
		return &software{public: key}, nil
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("its certificate is not sound")
		}
		// Whether it has expired is not asked: what it signed before has to be
		// verified after, and who is trusted is whom the tenant lists.
		return &software{public: certificate.PublicKey}, nil
	}
	return nil, fmt.Errorf("it holds a PEM block of type %q; PRIVATE KEY (PKCS #8), PUBLIC KEY and CERTIFICATE are known", block.Type)
}

const secretMax = 4096 // bytes of a symmetric key

func parseSecret(text []byte, encoding string) (secret []byte, err error) {
	switch encoding {
	case "raw":
		secret = bytes.Clone(text)
	case "base64":
		trimmed := bytes.TrimRight(bytes.TrimSpace(text), "=")
		secret = make([]byte, base64.RawStdEncoding.DecodedLen(len(trimmed)))
		var n int
		n, err = base64.RawStdEncoding.Decode(secret, trimmed)
		secret = secret[:n]
	default:
		trimmed := bytes.TrimSpace(text)
		secret = make([]byte, hex.DecodedLen(len(trimmed)))
		_, err = hex.Decode(secret, trimmed)
	}
	if err != nil || len(secret) == 0 || len(secret) > secretMax {
		clear(secret)
		// What was read stays out of the text: it is a key, if a misspelt one.
		return nil, fmt.Errorf("it is no key of 1 to %d bytes in %s", secretMax, cmpEncoding(encoding))
	}
	return secret, nil
}

func cmpEncoding(encoding string) string {
	if encoding == "" {
		return "hex"
	}
	return encoding
}

func decodeHex(text string) ([]byte, error) { return hex.DecodeString(text) }

// fileKey is the n-th version in a file; sign takes the first, verify all.
type fileKey struct{ *file }

func (f fileKey) sign(ctx context.Context, a *algorithm, data []byte) (out []byte, err error) {
	err = f.use(func(keys []*software) error {
		out, err = keys[0].sign(ctx, a, data)
		return err
	})
	return out, err
}

func (f fileKey) verify(ctx context.Context, a *algorithm, data, signature []byte) (ok bool, err error) {
	err = f.use(func(keys []*software) error {
		for _, k := range keys {
			if ok, err = k.verify(ctx, a, data, signature); ok || err != nil {
				return err
			}
		}
		return nil
	})
	return ok, err
}

func (f fileKey) encrypt(ctx context.Context, a *algorithm, data, additional []byte) (out []byte, err error) {
	err = f.use(func(keys []*software) error {
		out, err = keys[0].encrypt(ctx, a, data, additional)
		return err
	})
	return out, err
}
