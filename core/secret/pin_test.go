package secret

import "testing"

// FuzzPin: no pin makes the reader panic, and one that is taken has one meaning.
func FuzzPin(f *testing.F) {
	f.Add(`pin-sha256="d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM="`)
	f.Add(`pin-sha256="d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=`)
	f.Add("sha256/AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		pin, err := ParsePin(text)
		if err != nil {
			return
		}
		if again, err := ParsePin(pin.String()); err != nil || again != pin {
			t.Errorf("%q: %v", text, err)
		}
	})
}
