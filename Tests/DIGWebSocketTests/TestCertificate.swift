import Foundation

/// A certificate for `localhost`, `peer.example` and 127.0.0.1, and the authority that signed it. Made for these tests with openssl, valid to 2125;
/// nothing else trusts them.
struct TestCertificate: Sendable {
    let directory: URL
    var authority: String { self.directory.appendingPathComponent("authority.pem").path }
    var chain: String { self.directory.appendingPathComponent("chain.pem").path }
    var privateKey: String { self.directory.appendingPathComponent("key.pem").path }

    /// Writes the files into a directory of their own.
    init() throws {
        self.directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-websocket-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: true)
        for (path, text) in [(self.authority, Self.authorityPEM), (self.chain, Self.chainPEM), (self.privateKey, Self.keyPEM)] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
    }

    func remove() {
        // A directory that is gone needs no removal.
        try? FileManager.default.removeItem(at: self.directory)
    }

    private static let authorityPEM = """
        -----BEGIN CERTIFICATE-----
        MIIBoTCCAUegAwIBAgIUINB4Hro9wVaIhRO2rNc4Fl8Myy8wCgYIKoZIzj0EAwIw
        HTEbMBkGA1UEAwwSRElHIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyMTE1NTAzNloY
        DzIxMjYxMDI4MTU1MDM2WjAdMRswGQYDVQQDDBJESUcgdGVzdCBhdXRob3JpdHkw
        WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT2Zhy1Fto+b6h4ATZhRC3di0/UQ5Rp
        mE5N/WHi23RUOrKU2RlMS37w/zGp/aieFu492ZYksWW7ws/2yWpdNCRao2MwYTAd
        BgNVHQ4EFgQUxgrJc9MrFymkm8sKcLgHqZLmBL0wHwYDVR0jBBgwFoAUxgrJc9Mr
        Fymkm8sKcLgHqZLmBL0wDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQw
        CgYIKoZIzj0EAwIDSAAwRQIhAK+49iBdLrnqVjPFMFmFe6gRkxw96WKHTuMH8uj1
        vDO9AiAkRzEec0PCa1MTYOSzwlIeka4A7wT0L60SMfYzoyGpmg==
        -----END CERTIFICATE-----
        """

    private static let chainPEM = """
        -----BEGIN CERTIFICATE-----
        MIIBtzCCAV2gAwIBAgIUEf5iBZQ1cRbJXfjzgog5c7AYGOMwCgYIKoZIzj0EAwIw
        HTEbMBkGA1UEAwwSRElHIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyMTE1NTAzNloY
        DzIxMjYxMDI4MTU1MDM2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjO
        PQIBBggqhkjOPQMBBwNCAAS/7irH7Mk4uUYapoP6iiItSC/NSXAsBca/0z6NhDQx
        mL+qDm82Nblqm3bfhj3UrdEv6KrPteviFh1Be+Eb7ieBo4GBMH8wKAYDVR0RBCEw
        H4IJbG9jYWxob3N0ggxwZWVyLmV4YW1wbGWHBH8AAAEwEwYDVR0lBAwwCgYIKwYB
        BQUHAwEwHQYDVR0OBBYEFN1JE8OT4fdEp7lalbcuX5iSD0+VMB8GA1UdIwQYMBaA
        FMYKyXPTKxcppJvLCnC4B6mS5gS9MAoGCCqGSM49BAMCA0gAMEUCIQCHRgudl34g
        6f4RbELHiaUopplTqHe5TE2X/ew+9WMiIQIgQHI5YLAAxCLtHRMQ6WR8q8hVmFdq
        FiNDQDd1IYrfitM=
        -----END CERTIFICATE-----
        """

    private static let keyPEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+GUvpuBywQd4RyW8
        FdC68dkcXJ66QSnl+z9cZA+lKUuhRANCAAS/7irH7Mk4uUYapoP6iiItSC/NSXAs
        Bca/0z6NhDQxmL+qDm82Nblqm3bfhj3UrdEv6KrPteviFh1Be+Eb7ieB
        -----END PRIVATE KEY-----
        """
}
