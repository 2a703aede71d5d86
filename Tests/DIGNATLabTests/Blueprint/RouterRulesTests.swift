import Testing

@testable import DIGNATLab

@Suite("Router rules")
struct RouterRulesTests {
    private let address = "198.51.100.5"

    private func text(_ kind: NATKind, hairpin: Bool = false, _ change: (inout RouterRules) -> Void = { _ in }) -> String {
        var rules = RouterRules(kind: kind, hairpin: hairpin, externalAddress: self.address)
        change(&rules)
        return rules.text
    }

    /// The lines of one chain, without its head and bracket.
    private func chain(_ name: String, in text: String) -> [String] {
        let lines = text.split(separator: "\n").map(String.init)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("  chain \(name) {") }) else { return [] }
        return lines[(start + 1)...].prefix { $0 != "  }" }.map { String($0.drop { $0 == " " }) }
    }

    static let portRestricted = """
        table inet natlab {
          chain input { type filter hook input priority filter; policy drop;
            iifname "lo" accept
            ct state established,related accept
            meta l4proto { icmp, ipv6-icmp } accept
            iifname "lan*" ip daddr 198.51.100.5 meta l4proto { tcp, udp } drop
            iifname "lan*" accept
          }
          chain forward { type filter hook forward priority filter; policy drop;
            ct state established,related accept
            ct state invalid drop
            meta l4proto ipv6-icmp accept
            iifname "lan*" oifname "wan" accept
          }
          chain prerouting { type nat hook prerouting priority dstnat; policy accept;
          }
          chain postrouting { type nat hook postrouting priority srcnat; policy accept;
            iifname "lan*" oifname "wan" meta nfproto ipv4 masquerade
          }
        }

        """

    static let fullCone = """
        table inet natlab {
          map eim  { type inet_proto . ipv4_addr . inet_service : inet_service; flags dynamic,timeout; size 65535; timeout 120s; }
          map rev  { type inet_proto . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 65535; timeout 120s; }
          set revk { type inet_proto . inet_service; flags dynamic,timeout; size 65535; timeout 120s; }
          set own  { type inet_proto . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; size 65535; timeout 120s; }
          chain input { type filter hook input priority filter; policy drop;
            iifname "lo" accept
            ct state established,related accept
            meta l4proto { icmp, ipv6-icmp } accept
            iifname "lan*" ip daddr 198.51.100.5 meta l4proto { tcp, udp } drop
            iifname "lan*" accept
          }
          chain forward { type filter hook forward priority filter; policy drop;
            ct state established,related accept
            ct state invalid drop
            meta l4proto ipv6-icmp accept
            iifname "lan*" oifname "wan" accept
            iifname "wan" ct status dnat accept
          }
          chain prerouting { type nat hook prerouting priority dstnat; policy accept;
            iifname "wan" ip daddr 198.51.100.5 meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @rev
          }
          chain postrouting { type nat hook postrouting priority srcnat; policy accept;
            iifname "lan*" oifname "wan" meta nfproto ipv4 jump eimnat
          }
          chain eimnat {
            meta l4proto { tcp, udp } snat ip to 198.51.100.5 : meta l4proto . ip saddr . th sport map @eim
            meta l4proto { tcp, udp } meta l4proto . th sport != @revk snat ip to 198.51.100.5
            meta l4proto { tcp, udp } snat ip to 198.51.100.5:1024-65535 fully-random
            snat ip to 198.51.100.5
          }
          chain learn { type filter hook postrouting priority srcnat + 10; policy accept;
            iifname "lan*" oifname "wan" ip protocol { tcp, udp } jump learnflow
          }
          chain learnflow {
            ct direction original ip protocol { tcp, udp } meta l4proto . th sport @revk meta l4proto . th sport . ct original ip saddr . ct original proto-src != @own drop
            ct direction original meta l4proto udp update @own { meta l4proto . th sport . ct original ip saddr . ct original proto-src timeout 120s }
            ct direction original meta l4proto udp update @revk { meta l4proto . th sport timeout 120s }
            ct direction original meta l4proto udp update @rev { meta l4proto . th sport timeout 120s : ct original ip saddr . ct original proto-src }
            ct direction original meta l4proto udp update @eim { meta l4proto . ct original ip saddr . ct original proto-src timeout 120s : th sport }
            ct direction reply ct status dnat meta l4proto udp update @own { meta l4proto . th sport . ct reply ip saddr . ct reply proto-src timeout 120s }
            ct direction reply ct status dnat meta l4proto udp update @revk { meta l4proto . th sport timeout 120s }
            ct direction reply ct status dnat meta l4proto udp update @rev { meta l4proto . th sport timeout 120s : ct reply ip saddr . ct reply proto-src }
            ct direction reply ct status dnat meta l4proto udp update @eim { meta l4proto . ct reply ip saddr . ct reply proto-src timeout 120s : th sport }
            ct direction original meta l4proto tcp update @own { meta l4proto . th sport . ct original ip saddr . ct original proto-src timeout 7440s }
            ct direction original meta l4proto tcp update @revk { meta l4proto . th sport timeout 7440s }
            ct direction original meta l4proto tcp update @rev { meta l4proto . th sport timeout 7440s : ct original ip saddr . ct original proto-src }
            ct direction original meta l4proto tcp update @eim { meta l4proto . ct original ip saddr . ct original proto-src timeout 7440s : th sport }
            ct direction reply ct status dnat meta l4proto tcp update @own { meta l4proto . th sport . ct reply ip saddr . ct reply proto-src timeout 7440s }
            ct direction reply ct status dnat meta l4proto tcp update @revk { meta l4proto . th sport timeout 7440s }
            ct direction reply ct status dnat meta l4proto tcp update @rev { meta l4proto . th sport timeout 7440s : ct reply ip saddr . ct reply proto-src }
            ct direction reply ct status dnat meta l4proto tcp update @eim { meta l4proto . ct reply ip saddr . ct reply proto-src timeout 7440s : th sport }
          }
        }

        """

    @Test("port-restricted is a plain masquerade; each carrier-grade home router is the same")
    func portRestricted() {
        for kind in [NATKind.portRestricted, .cgnatPortRestricted, .cgnatSymmetric] { #expect(self.text(kind) == Self.portRestricted, "\(kind)") }
    }

    @Test("full-cone is made of maps that are learnt after the translation")
    func fullCone() {
        #expect(self.text(.fullCone) == Self.fullCone)
    }

    @Test("none loads nothing; no-inbound filters and translates nothing")
    func publicAddresses() {
        #expect(self.text(.none).isEmpty)
        let text = self.text(.noInbound)
        #expect(!text.contains("type nat"))
        #expect(self.chain("forward", in: text) == self.chain("forward", in: Self.portRestricted))
        #expect(!self.chain("input", in: text).contains { $0.contains("ip daddr") })
    }

    @Test("the symmetric kinds differ from port-restricted in the translation alone")
    func symmetric() {
        let masquerade = "iifname \"lan*\" oifname \"wan\" meta nfproto ipv4 masquerade"
        for kind in [NATKind.symmetric, .dualStack] {
            #expect(self.text(kind) == Self.portRestricted.replacing(masquerade, with: masquerade + " fully-random"), "\(kind)")
        }
        let lines = self.chain("postrouting", in: self.text(.symmetricSequential))
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("iifname \"lan*\" oifname \"wan\" meta nfproto ipv4 meta l4proto { tcp, udp } masquerade to :numgen inc mod 4096 map { 0 : 20000, 1 : 20001, ") == true)
        #expect(lines.first?.hasSuffix(", 4095 : 24095 }") == true)
        #expect(lines.last == masquerade)
    }

    @Test("what may leave is decided before anything else")
    func egress() {
        #expect(self.chain("forward", in: self.text(.udpBlocked)).first == "iifname \"lan*\" oifname \"wan\" meta l4proto udp drop")
        #expect(
            self.chain("forward", in: self.text(.webOnly)).prefix(2) == [
                "iifname \"lan*\" oifname \"wan\" meta l4proto tcp tcp dport != { 80, 443 } drop", "iifname \"lan*\" oifname \"wan\" meta l4proto != tcp drop",
            ])
    }

    @Test("a filter remembers whom the inside has spoken to, by address or by address and port")
    func filters() {
        let address = self.chain("forward", in: self.text(.addressRestricted))
        #expect(address.first == "iifname \"lan*\" oifname \"wan\" ip protocol udp update @perm { meta l4proto . ip saddr . th sport . ip daddr timeout 120s }")
        #expect(address.last == "iifname \"wan\" ct status dnat meta l4proto . ip daddr . th dport . ip saddr @perm accept")
        let port = self.chain("forward", in: self.text(.portRestrictedEIM))
        #expect(port[1] == "iifname \"lan*\" oifname \"wan\" ip protocol tcp update @perm { meta l4proto . ip saddr . th sport . ip daddr . th dport timeout 7440s }")
        #expect(port.last == "iifname \"wan\" ct status dnat meta l4proto . ip daddr . th dport . ip saddr . th sport @perm accept")
    }

    @Test("hairpinning turns port-restricted into its strict form, and obeys the filter")
    func hairpin() {
        let text = self.text(.portRestricted, hairpin: true)
        #expect(text == self.text(.portRestrictedEIM, hairpin: true))
        #expect(self.chain("prerouting", in: text).last == "iifname \"lan*\" ip daddr 198.51.100.5 meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @rev")
        #expect(self.chain("forward", in: text).last == "iifname \"lan*\" oifname \"lan*\" ct status dnat accept")
        #expect(self.chain("postrouting", in: text).last == "iifname \"lan*\" oifname \"lan*\" ct status dnat meta nfproto ipv4 jump eimnat")
        #expect(self.chain("learn", in: text).last == "iifname \"lan*\" oifname \"lan*\" ct status dnat ip protocol { tcp, udp } jump learnflow")
        #expect(
            self.chain("hairfilter", in: text) == [
                "iifname \"lan*\" oifname \"lan*\" ct status dnat ct state new ip protocol { tcp, udp } meta l4proto . ip daddr . th dport . ip saddr . th sport != @perm drop"
            ])
        #expect(!self.text(.fullCone, hairpin: true).contains("hairperm"))
    }

    @Test("port mapping, rejecting, open IPv6, moved ports and short timeouts each add their lines")
    func options() {
        let upnp = self.text(.portRestricted) { $0.upnp = true }
        #expect(self.chain("input", in: upnp)[3] == "jump miniupnpd")
        #expect(self.chain("forward", in: upnp).last == "jump miniupnpd")
        #expect(self.chain("prerouting", in: upnp).first == "jump prerouting_miniupnpd")
        #expect(self.chain("postrouting", in: upnp).first == "jump postrouting_miniupnpd")
        let rejecting = self.chain("input", in: self.text(.symmetric) { $0.rejects = true })
        #expect(rejecting.suffix(2) == ["iifname \"wan\" meta l4proto tcp reject with tcp reset", "iifname \"wan\" meta l4proto udp reject"])
        #expect(self.chain("forward", in: self.text(.symmetric) { $0.ipv6 = .open }).last == "iifname \"wan\" oifname \"lan*\" meta nfproto ipv6 accept")
        #expect(!self.text(.fullCone) { $0.preservesPorts = false }.contains("!= @revk"))
        #expect(self.text(.fullCone) { $0.udpTimeoutSeconds = 30 }.contains("timeout 30s; }"))
    }
}
