package keys

import (
	"crypto"
	_ "crypto/sha256" // linked for crypto.SHA256
	_ "crypto/sha512" // linked for crypto.SHA384 and crypto.SHA512
	"slices"
)

// family is what an algorithm wants of a key.
type family int

const (
	rsaPKCS1 family = iota + 1
	rsaPSS
	ecdsaSign
	ed25519Sign
	hmacHash
	aesCMAC
	retailMAC
	rsaOAEP
	aesGCM
)

// algorithm is one of those that key references may be used with. Names are of RFC
// 7518 and RFC 8037 where they have one, and signatures look as they say there: of
// ES256 and its kin, r and s one after the other.
type algorithm struct {
	name   string
	family family
	hash   crypto.Hash
	// bits is the size of the curve's field, or of an AES key where the name fixes it.
	bits int
	// padding is ISO/IEC 9797-1's padding method.
	padding int
	uses    []string
}

const (
	useSign    = "sign"
	useVerify  = "verify"
	useMAC     = "mac"
	useEncrypt = "encrypt"
)

var uses = []string{useSign, useVerify, useMAC, useEncrypt}

var (
	signs    = []string{useSign, useVerify}
	macs     = []string{useMAC, useVerify}
	encrypts = []string{useEncrypt}
)

// algorithms by name. What is encrypted by a GCM begins with its nonce of 12 random
// bytes and ends with its tag of 16: one key may encrypt 2^32 messages before a
// nonce might return, so it is to be rotated long before.
//
// What cards need and RFC 7518 does not have:
//
//	AES-CMAC        NIST SP 800-38B, RFC 4493; 16 bytes
//	ISO9797-3-PAD1  ISO/IEC 9797-1 algorithm 3 with DES, the retail MAC of ANSI
//	ISO9797-3-PAD2  X9.19, with zeros (method 1) or 80 00 … (method 2); 8 bytes
//
// A MAC is given whole; who needs its first four bytes takes them.
var algorithms = byName([]algorithm{
	{name: "RS256", family: rsaPKCS1, hash: crypto.SHA256, uses: signs},
	{name: "RS384", family: rsaPKCS1, hash: crypto.SHA384, uses: signs},
	{name: "RS512", family: rsaPKCS1, hash: crypto.SHA512, uses: signs},
	{name: "PS256", family: rsaPSS, hash: crypto.SHA256, uses: signs},
	{name: "PS384", family: rsaPSS, hash: crypto.SHA384, uses: signs},
	{name: "PS512", family: rsaPSS, hash: crypto.SHA512, uses: signs},
	{name: "ES256", family: ecdsaSign, hash: crypto.SHA256, bits: 256, uses: signs},
	{name: "ES384", family: ecdsaSign, hash: crypto.SHA384, bits: 384, uses: signs},
	{name: "ES512", family: ecdsaSign, hash: crypto.SHA512, bits: 521, uses: signs},
	{name: "EdDSA", family: ed25519Sign, uses: signs},
	{name: "HS256", family: hmacHash, hash: crypto.SHA256, uses: macs},
	{name: "HS384", family: hmacHash, hash: crypto.SHA384, uses: macs},
	{name: "HS512", family: hmacHash, hash: crypto.SHA512, uses: macs},
	{name: "AES-CMAC", family: aesCMAC, uses: macs},
	{name: "ISO9797-3-PAD1", family: retailMAC, padding: 1, uses: macs},
	{name: "ISO9797-3-PAD2", family: retailMAC, padding: 2, uses: macs},
	{name: "RSA-OAEP-256", family: rsaOAEP, hash: crypto.SHA256, uses: encrypts},
	{name: "A128GCM", family: aesGCM, bits: 128, uses: encrypts},
	{name: "A192GCM", family: aesGCM, bits: 192, uses: encrypts},
	{name: "A256GCM", family: aesGCM, bits: 256, uses: encrypts},
})

func byName(list []algorithm) map[string]*algorithm {
	m := make(map[string]*algorithm, len(list))
	for i := range list {
		m[list[i].name] = &list[i]
	}
	return m
}

func (a *algorithm) serves(use string) bool { return slices.Contains(a.uses, use) }

// symmetricMAC tells algorithms whose key also computes what it verifies.
func (a *algorithm) symmetricMAC() bool {
	return a.family == hmacHash || a.family == aesCMAC || a.family == retailMAC
}

func (a *algorithm) digest(data []byte) []byte {
	h := a.hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// fits tells whether one key can serve both algorithms. RSA keys can, though one
// key for several is not good practice; every algorithm has to be named.
func (a *algorithm) fits(b *algorithm) bool {
	isRSA := func(f family) bool { return f == rsaPKCS1 || f == rsaPSS || f == rsaOAEP }
	return a.family == b.family && a.bits == b.bits || isRSA(a.family) && isRSA(b.family)
}
