// Package testcert makes certificates for interoperation checks. They are good for
// a day.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files are the paths of PEM files: an authority, and what it signed for a
// server on the loopback interface ("localhost" and 127.0.0.1) and for a client.
type Files struct {
	CA, ServerCert, ServerKey, ClientCert, ClientKey string
}

// New makes keys and certificates, and writes them into the folder dir, which
// must exist.
func New(dir string) (Files, error) {
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "interop CA"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Files{}, err
	}
	c := Files{
		CA:         filepath.Join(dir, "ca.pem"),
		ServerCert: filepath.Join(dir, "server.pem"),
		ServerKey:  filepath.Join(dir, "server.key"),
		ClientCert: filepath.Join(dir, "client.pem"),
		ClientKey:  filepath.Join(dir, "client.key"),
	}
	if err := sign(ca, ca, &caKey.PublicKey, caKey, c.CA); err != nil {
		return Files{}, err
	}
	err = issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "interop server"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey, c.ServerCert, c.ServerKey)
	if err != nil {
		return Files{}, err
	}
	err = issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "interop client"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, caKey, c.ClientCert, c.ClientKey)
	return c, err
}

// issue makes a key and a certificate for it that the authority signs.
func issue(cert, ca *x509.Certificate, caKey *ecdsa.PrivateKey, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, "PRIVATE KEY", der); err != nil {
		return err
	}
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(cert, ca, &key.PublicKey, caKey, certFile)
}

func sign(cert, ca *x509.Certificate, key *ecdsa.PublicKey, caKey *ecdsa.PrivateKey, file string) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return err
	}
	cert.SerialNumber = serial
	cert.NotBefore = time.Now().Add(-time.Hour)
	cert.NotAfter = time.Now().Add(24 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, key, caKey)
	if err != nil {
		return err
	}
	return writePEM(file, "CERTIFICATE", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
