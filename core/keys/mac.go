package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // card networks' MACs are DES ones
)

// cmac is AES-CMAC, RFC 4493.
func cmac(key, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	const size = aes.BlockSize
	sub := make([]byte, size)
	block.Encrypt(sub, sub)
	double(sub)
	last := make([]byte, size)
	whole := len(data) / size
	if rest := len(data) % size; rest != 0 || whole == 0 {
		double(sub)
		copy(last, data[whole*size:])
		last[rest] = 0x80
	} else {
		whole--
		copy(last, data[whole*size:])
	}
	x := make([]byte, size)
	for ; whole > 0; whole-- {
		chain(block, x, data[:size])
		data = data[size:]
	}
	for i := range last {
		last[i] ^= sub[i]
	}
	chain(block, x, last)
	return x, nil
}

// double is multiplication by x in GF(2^128).
func double(b []byte) {
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		next := b[i] >> 7
		b[i] = b[i]<<1 | carry
		carry = next
	}
	b[len(b)-1] ^= carry * 0x87
}

// chain is one round of CBC.
func chain(block cipher.Block, x, data []byte) {
	for i := range x {
		x[i] ^= data[i]
	}
	block.Encrypt(x, x)
}

// retail is ISO/IEC 9797-1 MAC algorithm 3 with DES, whole (8 bytes).
func retail(key, data []byte, padding int) ([]byte, error) {
	k1, err := des.NewCipher(key[:8]) //nolint:gosec // see the import
	if err != nil {
		return nil, err
	}
	k2, err := des.NewCipher(key[8:16]) //nolint:gosec // see the import
	if err != nil {
		return nil, err
	}
	k3 := k1
	if len(key) == 24 {
		if k3, err = des.NewCipher(key[16:]); err != nil { //nolint:gosec // see the import
			return nil, err
		}
	}
	x := make([]byte, des.BlockSize)
	for ; len(data) >= des.BlockSize; data = data[des.BlockSize:] {
		chain(k1, x, data[:des.BlockSize])
		padding |= 4 // there was a whole block
	}
	if last := make([]byte, des.BlockSize); padding&2 != 0 {
		copy(last, data)
		last[len(data)] = 0x80
		chain(k1, x, last)
	} else if len(data) > 0 || padding&4 == 0 {
		copy(last, data)
		chain(k1, x, last)
	}
	k2.Decrypt(x, x)
	k3.Encrypt(x, x)
	return x, nil
}
