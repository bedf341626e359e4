/*
 * java.java - a MAPI client on JSSE; ../stacks.py has the arguments
 *
 * The client certificate comes as PKCS #12, without a password.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

class MapiClient {
    static final String RESPONSE = "LIT:monetdb:{SHA1}0123456789:sql:test:";

    public static void main(String[] args) throws Exception {
        String address = args[0], name = args[2], ca = args[3];
        String version = args[4], cert = args[5], alpn = args[7];
        int port = Integer.parseInt(args[1]);

        SSLContext context = SSLContext.getInstance("TLS");
        context.init(identity(cert), trusted(ca), null);
        try (Socket plain = new Socket(address, port);
             SSLSocket tls = (SSLSocket) context.getSocketFactory()
                     .createSocket(plain, name, port, true)) {
            SSLParameters parameters = tls.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setProtocols(new String[] {"TLSv" + version});
            if (!alpn.isEmpty())
                parameters.setApplicationProtocols(new String[] {alpn});
            tls.setSSLParameters(parameters);
            System.out.println(exchange(tls));
        } catch (IOException e) {
            System.err.println(e);
            System.exit(1);
        }
    }

    static String exchange(SSLSocket tls) throws IOException {
        DataInputStream in = new DataInputStream(tls.getInputStream());
        OutputStream out = tls.getOutputStream();
        readMessage(in);
        out.write(new byte[] {(byte) (RESPONSE.length() << 1 | 1), 0});
        out.write(RESPONSE.getBytes("UTF-8"));
        return readMessage(in);
    }

    static String readMessage(DataInputStream in) throws IOException {
        StringBuilder text = new StringBuilder();
        int header;
        do {
            header = in.readUnsignedByte() | in.readUnsignedByte() << 8;
            byte[] block = new byte[header >> 1];
            in.readFully(block);
            text.append(new String(block, "UTF-8"));
        } while ((header & 1) == 0);
        return text.toString();
    }

    /* null: the JDK's own trust store */
    static TrustManager[] trusted(String ca) throws Exception {
        if (ca.isEmpty())
            return null;
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (FileInputStream file = new FileInputStream(ca)) {
            store.setCertificateEntry("ca", CertificateFactory
                    .getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        return factory.getTrustManagers();
    }

    static KeyManager[] identity(String cert) throws Exception {
        if (cert.isEmpty())
            return null;
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(cert)) {
            store.load(file, new char[0]);
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(store, new char[0]);
        return factory.getKeyManagers();
    }
}
