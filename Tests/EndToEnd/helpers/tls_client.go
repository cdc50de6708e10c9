// Stores a file and fetches it over two connections, and prints of each whether its session was taken up again:
// tls_client.go AUTHORITY FILE URL
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	authority, file, url := os.Args[1], os.Args[2], os.Args[3]
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(read(authority))
	settings := &tls.Config{RootCAs: trusted, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	value := read(file)
	request, err := http.NewRequest("PUT", url, bytes.NewReader(value))
	check(err)
	answer := send(request, settings)
	if answer.StatusCode != 201 {
		log.Fatal(answer.Status)
	}
	request, err = http.NewRequest("GET", url, nil)
	check(err)
	answer = send(request, settings)
	fetched, err := io.ReadAll(answer.Body)
	check(err)
	if !bytes.Equal(fetched, value) {
		log.Fatal("another value came back")
	}
}

func send(request *http.Request, settings *tls.Config) *http.Response {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	check(err)
	fmt.Println(answer.TLS.DidResume)
	return answer
}

func read(path string) []byte {
	contents, err := os.ReadFile(path)
	check(err)
	return contents
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
