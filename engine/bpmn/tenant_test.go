package bpmn

import (
	"strings"
	"testing"
)

func TestForTenant(t *testing.T) {
	const process = `<b:process name="x" id="%" isExecutable="true">`
	for _, row := range []struct{ file, id, want string }{
		{"PayerFundTransfer-DFSPID.bpmn", "PayerFundTransfer-DFSPID", "PayerFundTransfer-green"},
		{"flows/bill-inquiry-DFSPID.bpmn", "bill_inquiry", "bill_inquiry-green"},
		{"international-payee-DFSPID.bpmn", "international_payee-lion", "international_payee-green"},
		{"PayerFundTransfer.bpmn", "PayerFundTransfer-DFSPID", "PayerFundTransfer-green"},
		{"a&b-DFSPID.bpmn", "x", "x"},
		{"perftest.bpmn", "perftest", "perftest"},
	} {
		file := `<b:definitions xmlns:b="` + nsModel + `"><!-- id="y" -->` + process + `<b:task id="a-DFSPID"/></b:process></b:definitions>`
		got := string(ForTenant(row.file, []byte(strings.ReplaceAll(file, "%", row.id)), "green"))
		if !strings.Contains(got, `<b:process name="x" id="`+row.want+`" isExecutable="true">`) {
			t.Errorf("%s with id %s: %s", row.file, row.id, got)
		}
		if strings.Contains(got, "DFSPID") {
			t.Errorf("%s: %s", row.file, got)
		}
	}
	if got := string(ForTenant("a-DFSPID.bpmn", []byte(`<a b="DFSPID"/>`), `"><x`)); strings.Contains(got, `"><x`) {
		t.Errorf("a tenant's id became markup: %s", got)
	}
	if got := string(ForTenant("a-DFSPID.bpmn", []byte(`not DFSPID`), "green")); got != "not green" {
		t.Errorf("what is not XML: %s", got)
	}
}
