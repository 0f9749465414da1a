package connector

// Keys and the values of tokens stay in the host. A key is named by its key_ref, one of
// the manifest's keys, which the tenant binds to a file or to a key in a token (HSM)
// and to the algorithms it is for. Algorithms are named as in RFC 7518: PS256, ES256,
// EdDSA, HS256, RSA-OAEP-256, A256GCM and so on, and for cards AES-CMAC,
// ISO9797-3-PAD1 and ISO9797-3-PAD2.
//
// A *Failure of code NotFound says that the tenant has not bound the key, Forbidden
// that it is bound for something else, Unavailable that it cannot be had just now.

// Sign signs data. ES256 and its kin sign as JWS has it: r and s one after the other.
func (c *Context) Sign(keyRef, algorithm string, data []byte) ([]byte, error) {
	w, q := c.begin(effectSign)
	w.text(1, keyRef)
	w.text(2, algorithm)
	w.bytes(3, data)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return c.bytesOf(answer)
}

// Verify reports whether the signature, or the MAC, is that of the data. Of a key with
// several versions any may have made it.
func (c *Context) Verify(keyRef, algorithm string, data, signature []byte) (bool, error) {
	w, q := c.begin(effectVerify)
	w.text(1, keyRef)
	w.text(2, algorithm)
	w.bytes(3, data)
	w.bytes(4, signature)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	if err := answer.is(answerBool); err != nil {
		return false, err
	}
	ok := false
	f := fields{in: answer.message}
	for f.next() {
		if f.number == 1 {
			ok = f.uint() != 0
		}
	}
	return ok, nil
}

// MAC authenticates data by a symmetric key, and gives the whole MAC.
func (c *Context) MAC(keyRef, algorithm string, data []byte) ([]byte, error) {
	w, q := c.begin(effectMAC)
	w.text(1, keyRef)
	w.text(2, algorithm)
	w.bytes(3, data)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return c.bytesOf(answer)
}

// Encrypt encrypts data; additional is authenticated and not encrypted, which
// RSA-OAEP-256 cannot do. What A256GCM gives is a nonce of 12 bytes, the ciphertext
// and a tag of 16.
func (c *Context) Encrypt(keyRef, algorithm string, data, additional []byte) ([]byte, error) {
	w, q := c.begin(effectEncrypt)
	w.text(1, keyRef)
	w.text(2, algorithm)
	w.bytes(3, data)
	w.bytes(4, additional)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return c.bytesOf(answer)
}

// Tokenize gives the tenant's token of a value, the same for the same kind (pan,
// account …) and value. Variables, events and logs hold the token, never the value.
func (c *Context) Tokenize(kind, value string) (string, error) {
	w, q := c.begin(effectTokenize)
	w.text(1, kind)
	w.text(2, value)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return textOf(answer)
}

// Detokenize gives the value of a token, if the tenant lets this connector have it.
// Most need not: {{token:tok_…}} in a request's path, header or body is replaced by the
// value as the request leaves. A job that would give the value to its payment fails.
func (c *Context) Detokenize(token string) (string, error) {
	w, q := c.begin(effectDetokenize)
	w.text(1, token)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return textOf(answer)
}

func (c *Context) bytesOf(answer answer) (data []byte, err error) {
	if err := answer.is(answerBytes); err != nil {
		return nil, err
	}
	f := fields{in: answer.message}
	for f.next() {
		if f.number == 1 {
			data = pieces.bytes(f.text())
		}
	}
	return data, nil
}

func textOf(answer answer) (text string, err error) {
	if err := answer.is(answerText); err != nil {
		return "", err
	}
	f := fields{in: answer.message}
	for f.next() {
		if f.number == 1 {
			text = f.text()
		}
	}
	return text, nil
}

// onSchedule runs one of the connector's schedules.
func (c *Context) onSchedule(served *Connector, trigger string) Outcome {
	name, job := "", ""
	f := fields{in: trigger}
	for f.next() {
		switch f.number {
		case 1:
			name = f.text()
		case 2:
			job = f.message(job)
		}
	}
	c.job.decode(c.rooms, job)
	handler := served.Schedules[name]
	if handler == nil {
		return Fail("UNKNOWN_SCHEDULE", "this connector does not serve schedule "+name)
	}
	return handler(c, &c.job)
}
