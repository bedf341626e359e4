# mapitest: WORKERS worker processes, beside a master and control, which sleep.
#
# A subject for the benchmark that compares TLS-terminating proxies: sourced
# there with the variables that its README names.  MAPITEST is the program.

MAPITEST=${MAPITEST:-mapitest}
command -v "$MAPITEST" >/dev/null || UNAVAILABLE="MAPITEST is not set"
cat > "$DIR/mapitest.json" <<CONF
{
    "timers": {"handshake": 60, "first_byte": 3600, "stall": 3600},
    "ports": [
        {
            "name": "bench",
            "listen": ["127.0.0.1:$LISTEN_PORT"],
            "certificates": [{"chain": "$CERT", "key": "$KEY"}],
            "tls": {"min": "$TLS", "max": "$TLS"},
            ${BENCH_EARLY:+"\"connect_early\": true,"}
            "backend": "127.0.0.1:$BACKEND_PORT"
        }
    ]
}
CONF

CMD=("$MAPITEST" --config "$DIR/mapitest.json" --workers "$WORKERS"
     --allow-world-readable-keys ${BENCH_OPTIONS:-})
VERSION_CMD=("$MAPITEST" --version)
