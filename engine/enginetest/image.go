package enginetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/railhead-hub/railhead/engine"
)

// Image is every row as bytes, in key order: what a checkpoint or a snapshot keeps.
type Image []ImageRow

// ImageRow is one row of an Image.
type ImageRow struct{ Key, Value []byte }

// TakeImage encodes every row.
func TakeImage(tx engine.Tx) Image {
	var image Image
	for table := engine.Table(1); table < 64; table++ {
		if _, holds := engine.Layouts[table]; !holds {
			continue
		}
		tx.Ascend(engine.Key{Table: table}, func(k engine.Key, row engine.Row) bool {
			image = append(image, ImageRow{k.Append(nil), encode(row)})
			return true
		})
	}
	return image
}

func encode(row engine.Row) []byte {
	body := make([]byte, row.SizeVT())
	if _, err := row.MarshalToSizedBufferVTStrict(body); err != nil {
		panic(err)
	}
	return body
}

// Hash is equal for equal states.
func (m Image) Hash() [sha256.Size]byte {
	h := sha256.New()
	for _, r := range m {
		fmt.Fprintf(h, "%d %d ", len(r.Key), len(r.Value))
		h.Write(r.Key)
		h.Write(r.Value)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Load decodes every row into an empty key space. It fails when a row does not come
// back as the bytes it was.
func (m Image) Load(tx engine.Tx) error {
	for _, r := range m {
		k, err := engine.ParseKey(r.Key)
		if err != nil {
			return err
		}
		row := engine.Layouts[k.Table].New()
		if err := row.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("a row of table %s does not decode: %w", engine.Layouts[k.Table].Name, err)
		}
		if !bytes.Equal(encode(row), r.Value) {
			return fmt.Errorf("a row of table %s comes back as other bytes", engine.Layouts[k.Table].Name)
		}
		tx.Put(k, row)
	}
	return nil
}
