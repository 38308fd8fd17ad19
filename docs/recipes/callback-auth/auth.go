package main

import (
	"log"
	"net/http"
)

// Token of each stream, for publishers and for players.
var tokens = map[string]map[string]string{"publish": {"room1": "secret"}, "play": {"room1": "view"}}

func main() {
	http.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		wanted := tokens[query.Get("call")][query.Get("name")]
		// Only the answer to "start" decides. "done" is information.
		if query.Get("act") == "start" && (wanted == "" || query.Get("token") != wanted) {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:6080", nil))
}
