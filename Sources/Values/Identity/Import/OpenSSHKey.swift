import Crypto
import CryptoExtras
import Foundation

/// Keys as OpenSSH stores them: `PROTOCOL.key` for private ones, RFC 4253 §6.6, RFC 5656 §3.1 and RFC 8709 §4 for public ones.
enum OpenSSHKey {
    /// "openssh-key-v1", cipher, key derivation and its options, how many keys, the public key, and what is encrypted: here with nothing.
    ///
    ///     …| check | the same check | type | numbers of the type | comment | 01 02 03 … up to a multiple of 8 |
    static func privateKey(_ bytes: [UInt8]) throws(IdentityError) -> KeyPair {
        do {
            var outer = SSHReader(bytes)
            try outer.expect(Array("openssh-key-v1\0".utf8))
            let (cipher, derivation) = (try outer.readText(), try outer.readText())
            _ = try outer.readString()
            guard cipher == "none", derivation == "none" else {
                throw IdentityError(
                    .encryptedKey,
                    "the private key is encrypted; make a copy, take the password off the copy, and delete it afterwards: ssh-keygen -p -N '' -f COPY")
            }
            guard try outer.readUInt32() == 1 else { throw SSHReader.Malformed() }
            let publicKey = try outer.readString()
            var inner = SSHReader(try outer.readString())
            guard outer.rest.isEmpty else { throw SSHReader.Malformed() }
            guard try inner.readUInt32() == inner.readUInt32() else { throw SSHReader.Malformed() }
            let type = try inner.readText()
            let pair = try Self.privateKey(type: type, &inner)
            _ = try inner.readString()
            // OpenSSH pads with 0 to 7 bytes and reads any number; pyca/cryptography pads with 1 to 8.
            guard inner.rest.count < 256, zip(inner.rest, 1...255).allSatisfy({ $0 == UInt8($1) }) else { throw SSHReader.Malformed() }
            guard try Self.publicKey(publicKey, type: type) == pair.publicKey else {
                throw IdentityError(.keyMismatch, "the public key stored with the private key is not its own")
            }
            return pair
        } catch let error as IdentityError {
            throw error
        } catch {
            throw IdentityError(.invalidPrivateKey, "not an OpenSSH private key")
        }
    }

    private static func privateKey(type: String, _ reader: inout SSHReader) throws -> KeyPair {
        switch type {
        case "ssh-ed25519":
            let publicKey = try reader.readString()
            let pair = try KeyPair(ed25519: try reader.readString())
            guard pair.publicKey.rawRepresentation == publicKey else { throw SSHReader.Malformed() }
            return pair
        case "ssh-rsa":
            let (n, e, d) = (try reader.readNumber(), try reader.readNumber(), try reader.readNumber())
            _ = try reader.readNumber()  // q⁻¹ mod p, which is computed anew
            let (p, q) = (try reader.readNumber(), try reader.readNumber())
            // Computing with numbers that cannot be an RSA key's is not what the library is for.
            let half = n.count / 2
            guard (2048 / 8...PublicKey.rsaKeySizes.upperBound / 8).contains(n.count), (1...8).contains(e.count), d.count <= n.count,
                (half - 8...half + 8).contains(p.count), (half - 8...half + 8).contains(q.count),
                [n, e, p, q].allSatisfy({ ($0.last ?? 0) & 1 == 1 })
            else { throw IdentityError(.unsupportedKey, "an RSA key of \(n.count * 8) bits is not accepted") }
            return try KeyPair(.rsa(_RSA.Signing.PrivateKey(n: n, e: e, d: d, p: p, q: q)))
        case "ecdsa-sha2-nistp256":
            guard try reader.readText() == "nistp256" else { throw SSHReader.Malformed() }
            let point = try reader.readString()
            let number = try reader.readNumber()
            guard number.count <= 32 else { throw SSHReader.Malformed() }
            let pair = try KeyPair(.ecdsa(P256.Signing.PrivateKey(rawRepresentation: [UInt8](repeating: 0, count: 32 - number.count) + number)))
            guard try PublicKey(p256Point: point) == pair.publicKey else { throw SSHReader.Malformed() }
            return pair
        default: throw Self.unsupported(type)
        }
    }

    /// - Parameter type: What the line or the private key says the type is.
    static func publicKey(_ bytes: [UInt8], type: String) throws(IdentityError) -> PublicKey {
        do {
            var reader = SSHReader(bytes)
            guard try reader.readText() == type else { throw SSHReader.Malformed() }
            let key: PublicKey
            switch type {
            case "ssh-ed25519": key = try PublicKey(.ed25519, rawRepresentation: try reader.readString())
            case "ssh-rsa":
                let (e, n) = (try reader.readNumber(), try reader.readNumber())
                guard (2048 / 8...PublicKey.rsaKeySizes.upperBound / 8).contains(n.count), (1...8).contains(e.count) else {
                    throw IdentityError(.unsupportedKey, "an RSA key of \(n.count * 8) bits is not accepted")
                }
                key = try PublicKey(.rsa, rawRepresentation: _RSA.Signing.PublicKey(n: n, e: e).derRepresentation)
            case "ecdsa-sha2-nistp256":
                guard try reader.readText() == "nistp256" else { throw SSHReader.Malformed() }
                key = try PublicKey(p256Point: try reader.readString())
            default: throw Self.unsupported(type)
            }
            guard reader.rest.isEmpty else { throw SSHReader.Malformed() }
            return key
        } catch let error as IdentityError {
            throw error
        } catch {
            throw IdentityError(.invalidPublicKey, "not an OpenSSH public key")
        }
    }

    private static func unsupported(_ type: String) -> IdentityError {
        IdentityError(.unsupportedKey, "an OpenSSH key of type \"\(type.prefix(40))\" is not used here: ssh-ed25519, ssh-rsa and ecdsa-sha2-nistp256 are")
    }
}
