/*
 * Suite.java - all of mapitest's tests, with Java's own TLS
 *
 * usage: java Suite.java [HOST:PORT]   mapitest's base port (localhost:4300)
 *
 * The same as suite.py, which says more.  Java brings no JSON: class Json reads
 * as much of it as the base port writes.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Proxy;
import java.net.Socket;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

class Suite {
    static final String RESPONSE = "LIT:monetdb:{SHA1}0123456789:sql:test:";
    static String base = "localhost:4300";

    public static void main(String[] args) throws Exception {
        if (args.length > 0)
            base = args[0];
        Map<?, ?> portmap = json("/api/portmap");
        String name = (String) ((List<?>) portmap.get("hostnames")).get(0);
        Object since = json("/api/connections?limit=1").get("next");
        Map<Object, Integer> count = new LinkedHashMap<>(
                Map.of("pass", 0, "fail", 0, "open", 0));
        int wrong = 0;
        for (Object row : (List<?>) json("/api/tests").get("tests")) {
            Map<?, ?> test = (Map<?, ?>) row;
            fetch("/?test=" + test.get("name"));
            Map<?, ?> port = (Map<?, ?>) ((Map<?, ?>) portmap.get("ports"))
                    .get(test.get("port"));
            String said = attempt(test, ((Long) port.get("port")).intValue(),
                    test.get("host").equals("same") ? name : "other.invalid");
            Map<?, ?> seen = json("/api/connections?test=" + test.get("name")
                    + "&since=" + since + "&wait=30");
            since = seen.get("next");
            List<?> records = (List<?>) seen.get("connections");
            Map<?, ?> record = (Map<?, ?>) records.get(records.size() - 1);
            Object verdict = record.get("verdict");
            Object alert = record.get("alert_received") != null
                    ? record.get("alert_received") : record.get("alert_sent");
            System.out.printf("%s %-28s %-14s %3s %s%n", verdict,
                    test.get("name"), record.get("origin"),
                    alert == null ? "" : alert, said);
            count.merge(verdict, 1, Integer::sum);
            if (verdict.equals("fail") || (test.get("expect").equals("accept")
                    && !verdict.equals("pass"))) {
                wrong++;
                System.out.println("     " + record.get("why"));
            }
        }
        fetch("/?test=");
        System.out.printf("%d tests: %d pass, %d fail, %d open; %d wrong%n",
                count.get("pass") + count.get("fail") + count.get("open"),
                count.get("pass"), count.get("fail"), count.get("open"),
                wrong);
        System.exit(wrong == 0 ? 0 : 1);
    }

    /* What this client says of it, in a few words. */
    static String attempt(Map<?, ?> test, int port, String name)
            throws Exception {
        SSLContext tls = (Boolean) test.get("tls") ? context(test) : null;
        try {
            String reply = exchange(port, tls, name,
                    test.get("port").equals("silent") ? 2000 : 20000).strip();
            return "reply " + reply.substring(0, Math.min(50, reply.length()));
        } catch (IOException e) {
            return e.getClass().getSimpleName() + ": " + e.getMessage();
        }
    }

    /* Log in; returns the server's reply, or throws what went wrong. */
    static String exchange(int port, SSLContext tls, String name, int timeout)
            throws IOException {
        String host = base.substring(0, base.lastIndexOf(':'));
        try (Socket plain = new Socket(host, port)) {
            plain.setSoTimeout(timeout);
            if (tls == null) {
                plain.getOutputStream().write(new byte[8]);
                return login(plain);
            }
            try (SSLSocket socket = (SSLSocket) tls.getSocketFactory()
                         .createSocket(plain, name, port, true)) {
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                parameters.setProtocols(new String[] {"TLSv1.3"});
                parameters.setApplicationProtocols(new String[] {"mapi/9"});
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                return login(socket);
            }
        }
    }

    static String login(Socket socket) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        readMessage(in);                // the challenge
        ByteArrayOutputStream response = new ByteArrayOutputStream();
        response.write(RESPONSE.length() << 1 | 1);
        response.write(0);
        response.writeBytes(RESPONSE.getBytes(StandardCharsets.UTF_8));
        socket.getOutputStream().write(response.toByteArray());
        return readMessage(in);
    }

    static String readMessage(DataInputStream in) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        int header;
        do {
            header = in.readUnsignedByte() | in.readUnsignedByte() << 8;
            byte[] block = new byte[header >> 1];
            in.readFully(block);
            text.writeBytes(block);
        } while ((header & 1) == 0);
        return text.toString(StandardCharsets.UTF_8);
    }

    /* TLS as the row says; ca1.crt, or what this Java trusts. */
    static SSLContext context(Map<?, ?> test) throws Exception {
        TrustManager[] trusted = null;
        KeyManager[] identity = null;
        Object ca = test.get("ca");
        Map<?, ?> pair = (Map<?, ?>) test.get("client_certificate");
        if (ca != null && !ca.equals("system")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setCertificateEntry("ca", certificates(ca)[0]);
            TrustManagerFactory factory =
                    TrustManagerFactory.getInstance("PKIX");
            factory.init(store);
            trusted = factory.getTrustManagers();
        }
        if (pair != null) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("client", KeyFactory.getInstance("RSA")
                    .generatePrivate(key(pair.get("key"))), new char[0],
                    certificates(pair.get("cert")));
            KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
            factory.init(store, new char[0]);
            identity = factory.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(identity, trusted, null);
        return context;
    }

    static Certificate[] certificates(Object file) throws Exception {
        return CertificateFactory.getInstance("X.509").generateCertificates(
                new ByteArrayInputStream(fetch("/" + file)))
                .toArray(new Certificate[0]);
    }

    /* The file is PKCS #1, which Java reads within PKCS #8 only: version 0, the
     * algorithm rsaEncryption, an octet string. */
    static PKCS8EncodedKeySpec key(Object file) throws Exception {
        byte[] inner = Base64.getMimeDecoder().decode(
                text("/" + file).replaceAll("-----.*", ""));
        byte[] algorithm = {2, 1, 0, 0x30, 13, 6, 9, 42, (byte) 0x86, 72,
            (byte) 0x86, (byte) 0xf7, 13, 1, 1, 1, 5, 0};
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        writeHead(out, 0x30, algorithm.length + 4 + inner.length);
        out.writeBytes(algorithm);
        writeHead(out, 4, inner.length);
        out.writeBytes(inner);
        return new PKCS8EncodedKeySpec(out.toByteArray());
    }

    static void writeHead(ByteArrayOutputStream out, int tag, int length) {
        out.writeBytes(new byte[] {(byte) tag, (byte) 0x82,
            (byte) (length >> 8), (byte) length});
    }

    static byte[] fetch(String path) throws IOException {
        try (InputStream in = new URL("http://" + base + path)
                .openConnection(Proxy.NO_PROXY).getInputStream()) {
            return in.readAllBytes();
        }
    }

    static String text(String path) throws IOException {
        return new String(fetch(path), StandardCharsets.UTF_8);
    }

    static Map<?, ?> json(String path) throws IOException {
        return (Map<?, ?>) new Json(text(path)).value();
    }
}

/* Objects are Maps, arrays Lists, numbers Longs or Doubles. */
class Json {
    final String text;
    int at;

    Json(String text) {
        this.text = text;
    }

    /* The next character that is no blank. */
    char next() {
        while (Character.isWhitespace(text.charAt(at)))
            at++;
        return text.charAt(at);
    }

    Object value() {
        switch (next()) {
        case '{':
            Map<String, Object> object = new LinkedHashMap<>();
            for (at++; next() != '}'; skip(',')) {
                String key = string();
                next();
                skip(':');
                object.put(key, value());
            }
            at++;
            return object;
        case '[':
            List<Object> array = new ArrayList<>();
            for (at++; next() != ']'; skip(','))
                array.add(value());
            at++;
            return array;
        case '"':
            return string();
        default:
            return word();
        }
    }

    void skip(char separator) {
        if (next() == separator)
            at++;
    }

    String string() {
        StringBuilder out = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char c = text.charAt(at);
            if (c == '\\') {
                c = text.charAt(++at);
                if (c == 'u') {
                    c = (char) Integer.parseInt(
                            text.substring(at + 1, at + 5), 16);
                    at += 4;
                } else if ("bfnrt".indexOf(c) >= 0) {
                    c = "\b\f\n\r\t".charAt("bfnrt".indexOf(c));
                }
            }
            out.append(c);
        }
        at++;
        return out.toString();
    }

    Object word() {
        int from = at;
        while (",]} \n".indexOf(text.charAt(at)) < 0)
            at++;
        String word = text.substring(from, at);
        switch (word) {
        case "null":
            return null;
        case "true":
        case "false":
            return Boolean.valueOf(word);
        default:
            if (word.matches("-?[0-9]+"))
                return Long.valueOf(word);
            return Double.valueOf(word);
        }
    }
}
