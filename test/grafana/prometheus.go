package grafana

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Prometheus is the URL of one, as http://127.0.0.1:9090.
type Prometheus string

// A Series are the values of one set of labels.
type Series struct {
	Metric map[string]string
	Points []Point
}

// A Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64
}

// UnmarshalJSON reads [seconds, "value"].
func (p *Point) UnmarshalJSON(text []byte) (err error) {
	var at float64
	var value string
	if err := json.Unmarshal(text, &[]any{&at, &value}); err != nil {
		return err
	}
	p.At = time.UnixMilli(int64(at * 1000))
	p.Value, err = strconv.ParseFloat(value, 64)
	return err
}

// Query returns the values of an expression now, each with one point.
func (p Prometheus) Query(expr string) ([]Series, error) {
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  Point
		}
	}
	err := p.Get("query", url.Values{"query": {expr}}, &data)
	var all []Series
	for _, r := range data.Result {
		all = append(all, Series{r.Metric, []Point{r.Value}})
	}
	return all, err
}

// QueryRange returns the values of an expression from one time to another.
func (p Prometheus) QueryRange(expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	var data struct {
		Result []struct {
			Metric map[string]string
			Values []Point
		}
	}
	err := p.Get("query_range", url.Values{
		"query": {expr}, "start": {from.Format(time.RFC3339Nano)}, "end": {to.Format(time.RFC3339Nano)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}, &data)
	var all []Series
	for _, r := range data.Result {
		all = append(all, Series{r.Metric, r.Values})
	}
	return all, err
}

// Get reads the data of one of the paths below /api/v1/.
func (p Prometheus) Get(path string, values url.Values, data any) error {
	response, err := http.Get(string(p) + "/api/v1/" + path + "?" + values.Encode())
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, response.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s %s: %s", path, values.Get("query"), answer.Error)
	}
	return nil
}
