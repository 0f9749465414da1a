package bank

import (
	"errors"
	"fmt"
	"net/http"
)

// Code says what is wrong, for programs to switch on.
type Code string

// The codes of the interface; status holds the HTTP status of each.
const (
	BadRequest        Code = "BAD_REQUEST"
	Unauthenticated   Code = "UNAUTHENTICATED"
	Forbidden         Code = "FORBIDDEN"
	UnknownPath       Code = "UNKNOWN_PATH"
	MethodNotAllowed  Code = "METHOD_NOT_ALLOWED"
	TooLarge          Code = "TOO_LARGE"
	NotJSON           Code = "NOT_JSON"
	KeyRequired       Code = "KEY_REQUIRED"
	KeyReused         Code = "KEY_REUSED"
	OperationNotFound Code = "OPERATION_NOT_FOUND"
	AccountNotFound   Code = "ACCOUNT_NOT_FOUND"
	AccountExists     Code = "ACCOUNT_EXISTS"
	AccountBlocked    Code = "ACCOUNT_BLOCKED"
	IdentifierTaken   Code = "IDENTIFIER_TAKEN"
	PartyNotFound     Code = "PARTY_NOT_FOUND"
	HoldNotFound      Code = "HOLD_NOT_FOUND"
	HoldNotOpen       Code = "HOLD_NOT_OPEN"
	BookingNotFound   Code = "BOOKING_NOT_FOUND"
	CurrencyMismatch  Code = "CURRENCY_MISMATCH"
	InsufficientFunds Code = "INSUFFICIENT_FUNDS"
	BalanceTooLarge   Code = "BALANCE_TOO_LARGE"
	AmountMismatch    Code = "AMOUNT_MISMATCH"
	SameAccount       Code = "SAME_ACCOUNT"
	Refused           Code = "REFUSED"
	Unavailable       Code = "UNAVAILABLE"
	Internal          Code = "INTERNAL"
)

var status = map[Code]int{
	BadRequest:        http.StatusBadRequest,
	Unauthenticated:   http.StatusUnauthorized,
	Forbidden:         http.StatusForbidden,
	UnknownPath:       http.StatusNotFound,
	MethodNotAllowed:  http.StatusMethodNotAllowed,
	TooLarge:          http.StatusRequestEntityTooLarge,
	NotJSON:           http.StatusUnsupportedMediaType,
	KeyRequired:       http.StatusBadRequest,
	KeyReused:         http.StatusConflict,
	OperationNotFound: http.StatusNotFound,
	AccountNotFound:   http.StatusNotFound,
	AccountExists:     http.StatusConflict,
	AccountBlocked:    http.StatusUnprocessableEntity,
	IdentifierTaken:   http.StatusConflict,
	PartyNotFound:     http.StatusNotFound,
	HoldNotFound:      http.StatusNotFound,
	HoldNotOpen:       http.StatusConflict,
	BookingNotFound:   http.StatusNotFound,
	CurrencyMismatch:  http.StatusUnprocessableEntity,
	InsufficientFunds: http.StatusUnprocessableEntity,
	BalanceTooLarge:   http.StatusUnprocessableEntity,
	AmountMismatch:    http.StatusUnprocessableEntity,
	SameAccount:       http.StatusUnprocessableEntity,
	Refused:           http.StatusUnprocessableEntity,
	Unavailable:       http.StatusServiceUnavailable,
	Internal:          http.StatusInternalServerError,
}

// Error is a refusal: the request was understood, nothing was changed, and asking
// again in the same state gets the same answer. It is also the body of the HTTP
// answer. Every other Go error of this package is a failure of the machine.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// refusal returns the refusal inside err; ok is false for a failure.
func refusal(err error) (e *Error, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}
