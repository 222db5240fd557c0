package harness

import (
	"fmt"
	"io"
	"net/http"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// Get returns the body of a response with status 200, else an error. Each call
// makes a connection of its own.
func Get(url string) (string, error) {
	client := http.Client{Timeout: testproc.HangLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
	}
	return string(body), err
}

// Local returns the address of a port on 127.0.0.1.
func Local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// CloseHeader is in a request after which the connection is to end.
const CloseHeader = "Connection: close"
