package feel

// Proleptic Gregorian calendar arithmetic on days since 1970-01-01. The package does
// not use package time: the engine has no clock, and durations here are civil.

// Days, and therefore years, are bounded as XML Schema's implementations bound them.
const maxYear = 999_999_999

// daysFromCivil counts the days from 1970-01-01 to a date. Years before 1 count on
// through zero.
func daysFromCivil(year int64, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	shifted := (int64(month) + 9) % 12 // March is 0: the leap day ends the year
	dayOfYear := (153*shifted+2)/5 + int64(day) - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146_097 + dayOfEra - 719_468
}

// civilFromDays is the inverse of daysFromCivil.
func civilFromDays(days int64) (year int64, month, day int) {
	days += 719_468
	era := floorDiv(days, 146_097)
	dayOfEra := days - era*146_097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36_524 - dayOfEra/146_096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = int(dayOfYear - (153*shifted+2)/5 + 1)
	month = int(shifted + 3)
	if month > 12 {
		month -= 12
	}
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

func leap(year int64) bool {
	return year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

// Civil is the date of a day counted from 1970-01-01, and how many days its month
// has.
func Civil(days int64) (year int64, month, day, length int) {
	year, month, day = civilFromDays(days)
	return year, month, day, daysInMonth(year, month)
}

func daysInMonth(year int64, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// addMonths moves a day by months; a day the target month lacks becomes its last.
func addMonths(days, months int64) (int64, bool) {
	year, month, day := civilFromDays(days)
	if months > 12*maxYear || months < -12*maxYear {
		return 0, false
	}
	total := year*12 + int64(month-1) + months
	year, month = floorDiv(total, 12), int(floorMod(total, 12))+1
	if year > maxYear || year < -maxYear {
		return 0, false
	}
	return daysFromCivil(year, month, min(day, daysInMonth(year, month))), true
}

// weekday is 1 for Monday … 7 for Sunday.
func weekday(days int64) int64 { return floorMod(days+3, 7) + 1 }

// week is the ISO 8601 number of the week the day is in.
func week(days int64) int64 {
	thursday := days - weekday(days) + 4
	year, _, _ := civilFromDays(thursday)
	return (thursday-daysFromCivil(year, 1, 1))/7 + 1
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
