"""Which products of endoflife.date something installed can be told to be, and by which names.

Source  the `identifiers` of the product pages of https://endoflife.date (MIT), read on 22 August 2026: CPE names of
        applications, and package URLs of language ecosystems. Packages of distributions are left out, because their
        distribution maintains them past the end of the program they are made of.

Left out for a reason, because a version does not tell its cycle, or the name belongs to several products:

    mssqlserver, msexchange, office  cycles are service packs and years, versions are builds
    oracle-jdk, openjdk              versions are written 1.8.0 for cycle 8
    ansible-core                     shares redhat:ansible with ansible, which numbers otherwise
    ibm-db2, controlm, commvault     cycles of another count than versions
    spring-cloud                     cycles are trains, versions those of single parts
    gorilla, tarteaucitron           one cycle for everything
"""

from __future__ import annotations

from sentrikat.domain.advisory import Product

_NAMES = {
    "adonisjs": "npm @adonisjs/core",
    "akeneo-pim": "cpe:a akeneo:product_information_management",
    "amazon-cdk": (
        "npm aws-cdk, golang github.com/aws/aws-cdk-go/awscdk/v2, cpe:a amazon:aws_cloud_development_kit"
    ),
    "amazon-corretto": "cpe:a amazon:corretto",
    "angular": "npm @angular/core, cpe:a angular:angular",
    "angularjs": "npm angular",
    "ansible": "pypi ansible",
    "ant": "cpe:a apache:ant, maven org.apache.ant:ant",
    "apache-activemq": "cpe:a apache:activemq, maven org.apache.activemq:activemq-broker",
    "apache-airflow": "pypi apache-airflow, cpe:a apache:airflow",
    "apache-apisix": "cpe:a apache:apisix",
    "apache-camel": "cpe:a apache:camel, maven org.apache.camel:camel",
    "apache-cassandra": "cpe:a apache:cassandra, maven org.apache.cassandra:apache-cassandra",
    "apache-couchdb": "cpe:a apache:couchdb",
    "apache-flink": "cpe:a apache:flink",
    "apache-groovy": (
        "cpe:a apache:groovy, maven org.apache.groovy:groovy, maven org.codehaus.groovy:groovy, "
        "maven org.codehaus.groovy:groovy-all"
    ),
    "apache-hadoop": "cpe:a apache:hadoop, cpe:a cloudera:hadoop, maven org.apache.hadoop:hadoop-core",
    "apache-http-server": "cpe:a apache:http_server",
    "apache-kafka": "cpe:a apache:kafka",
    "apache-lucene": "cpe:a apache:lucene",
    "apache-maven": "cpe:a apache:maven, maven org.apache.maven:maven",
    "apache-nifi": "cpe:a apache:nifi, maven org.apache.nifi:nifi",
    "apache-pulsar": "cpe:a apache:pulsar",
    "apache-spark": "cpe:a apache:spark",
    "apache-struts": "cpe:a apache:struts, maven org.apache.struts:struts2-core",
    "api-platform": "composer api-platform/core, cpe:a api-platform:core",
    "arangodb": "cpe:a arangodb:arangodb",
    "artifactory": "cpe:a jfrog:artifactory",
    "authentik": "cpe:a goauthentik:authentik",
    "azul-zulu": "cpe:a azul:zulu",
    "backdrop": "cpe:a backdropcms:backdrop_cms",
    "bamboo": "cpe:a atlassian:bamboo",
    "bazel": "cpe:a google:bazel",
    "beats": "cpe:a elastic:filebeat",
    "behat": "composer behat/behat",
    "bigbluebutton": "cpe:a bigbluebutton:bigbluebutton",
    "bitbucket": "cpe:a atlassian:bitbucket",
    "blender": "cpe:a blender:blender",
    "bootstrap": "npm bootstrap, nuget bootstrap, gem bootstrap, composer twbs/bootstrap",
    "boundary": "cpe:a hashicorp:boundary",
    "bun": "npm bun",
    "cachet": "composer cachethq/cachet",
    "caddy": "golang github.com/caddyserver/caddy/v2, cpe:a caddyserver:caddy",
    "cakephp": "cpe:a cakephp:cakephp, cpe:a cakefoundation:cakephp",
    "calico": "cpe:a projectcalico:calico",
    "centreon": "cpe:a centreon:centreon",
    "cfengine": "cpe:a gnu:cfengine",
    "chef-infra-client": "cpe:a chef:chef",
    "chef-infra-server": "cpe:a progress:chef_infra_server",
    "chef-inspec": "cpe:a chef:inspec",
    "chrome": "cpe:a google:chrome",
    "cilium": "cpe:a cilium:cilium",
    "ckeditor": "cpe:a ckeditor:ckeditor",
    "clamav": (
        "cpe:a clamav:clamav, cpe:a cisco:clam_antivirus, cpe:a cisco:clamav, cpe:a clam_anti-virus:clamav"
    ),
    "cnspec": "cpe:a cnspec:cnspec",
    "coder": "cpe:a coder:coder",
    "coldfusion": "cpe:a adobe:coldfusion",
    "composer": "composer composer/composer, cpe:a getcomposer:composer",
    "concrete-cms": "composer concrete5/core, cpe:a concretecms:concrete_cms",
    "confluence": "cpe:a atlassian:confluence",
    "consul": "golang github.com/hashicorp/consul, cpe:a hashicorp:consul",
    "containerd": "cpe:a linuxfoundation:containerd",
    "contao": "cpe:a contao:contao",
    "contour": "cpe:a projectcontour:contour",
    "couchbase-server": "cpe:a couchbase:couchbase_server",
    "craft-cms": "cpe:a craftcms:craft_cms",
    "deno": "cargo deno, npm deno, cpe:a deno:deno",
    "dependency-track": "cpe:a owasp:dependency-track",
    "discourse": "cpe:a discourse:discourse",
    "django": "pypi django, cpe:a djangoproject:django",
    "docker-engine": "cpe:a docker:engine",
    "dotnet": (
        "nuget microsoft.netcore.app, nuget microsoft.netcore.app.runtime.win-x64, "
        "nuget microsoft.netcore.app.runtime.win-x86, nuget microsoft.netcore.app.runtime.win-arm, "
        "nuget microsoft.netcore.app.runtime.win-arm64, "
        "nuget microsoft.netcore.app.runtime.osx-x64, "
        "nuget microsoft.netcore.app.runtime.osx-arm64, "
        "nuget microsoft.netcore.app.runtime.linux-x64, "
        "nuget microsoft.netcore.app.runtime.linux-arm64, "
        "nuget microsoft.netcore.app.runtime.linux-arm, "
        "nuget microsoft.netcore.app.runtime.linux-musl-x64, "
        "nuget microsoft.netcore.app.runtime.linux-musl-arm64, "
        "nuget microsoft.netcore.app.runtime.linux-musl-arm, "
        "nuget microsoft.netcore.app.runtime.linux-bionic-x64, "
        "nuget microsoft.netcore.app.runtime.linux-bionic-arm64, cpe:a microsoft:.net"
    ),
    "dovecot": "cpe:a dovecot:dovecot",
    "drupal": "composer drupal/core, cpe:a drupal:drupal",
    "drush": "composer drush/drush",
    "duckdb": "cpe:a duckdb:duckdb",
    "eclipse-jetty": "maven org.eclipse.jetty:jetty-server, cpe:a eclipse:jetty",
    "eclipse-temurin": "cpe:a eclipse:temurin",
    "elasticsearch": (
        "maven org.elasticsearch:elasticsearch, cpe:a elastic:elasticsearch, "
        "cpe:a elasticsearch:elasticsearch"
    ),
    "electron": "cpe:a electronjs:electron",
    "emberjs": "npm ember-source, cpe:a emberjs:ember.js",
    "envoy": "golang github.com/envoyproxy/envoy, cpe:a envoyproxy:envoy",
    "erlang": "cpe:a erlang:erlang\\/otp",
    "eslint": "npm eslint, cpe:a openjsf:eslint",
    "etcd": "golang github.com/etcd-io/etcd",
    "exim": "cpe:a exim:exim",
    "express": "npm express, cpe:a openjsf:express",
    "ffmpeg": "cpe:a ffmpeg:ffmpeg",
    "firefox": "cpe:a mozilla:firefox",
    "flux": "cpe:a fluxcd:flux2",
    "font-awesome": "npm @fortawesome/fontawesome-svg-core, cpe:a fontawesome:font_awesome",
    "foreman": "cpe:a theforeman:foreman",
    "forgejo": "cpe:a forgejo:forgejo",
    "gatekeeper": "cpe:a openpolicyagent:gatekeeper",
    "gerrit": "cpe:a google:gerrit",
    "gitlab": "cpe:a gitlab:gitlab",
    "gitlab-runner": "cpe:a gitlab:runner",
    "go": "cpe:a golang:go",
    "godot": "cpe:a godotengine:godot, cpe:a godotengine:godot_engine",
    "graalvm-ce": "cpe:a oracle:graalvm",
    "gradle": "cpe:a gradle:gradle",
    "grafana": "golang github.com/grafana/grafana, cpe:a grafana:grafana",
    "grafana-loki": "cpe:a grafana:loki",
    "grails": "cpe:a apache:grails, maven org.apache.grails:grails, cpe:a grails:grails",
    "graylog": "cpe:a graylog:graylog",
    "greenlight": "cpe:a bigbluebutton:greenlight",
    "grumphp": "composer phpro/grumphp",
    "grunt": "npm grunt, cpe:a gruntjs:grunt",
    "gstreamer": "cpe:a gstreamer:gstreamer, cpe:a gstreamer_project:gstreamer",
    "guzzle": "composer guzzlehttp/guzzle, cpe:a guzzlephp:guzzle",
    "haproxy": "cpe:a haproxy:haproxy",
    "harbor": "cpe:a linuxfoundation:harbor",
    "hashicorp-packer": "cpe:a hashicorp:packer",
    "hashicorp-vault": "cpe:a hashicorp:vault",
    "hbase": "cpe:a apache:hbase",
    "hibernate-orm": (
        "cpe:a hibernate:hibernate_orm, maven org.hibernate.orm:hibernate-core, "
        "maven org.hibernate:hibernate-core"
    ),
    "ibm-mq": "cpe:a ibm:mq",
    "icinga": "cpe:a icinga:icinga",
    "icinga-web": "cpe:a icinga:icinga_web_2",
    "influxdb": "cpe:a influxdata:influxdb",
    "ionic": "npm @ionic/core",
    "istio": "cpe:a istio:istio",
    "jaeger": "cpe:a linuxfoundation:jaeger",
    "jekyll": "cpe:a jekyllrb:jekyll",
    "jenkins": "cpe:a jenkins:jenkins",
    "jhipster": "cpe:a jhipster:jhipster",
    "jira-software": "cpe:a atlassian:jira",
    "joomla": "cpe:a joomla:joomla\\!",
    "jquery": "maven org.webjars:jquery, npm jquery, nuget jquery, cpe:a jquery:jquery",
    "jquery-ui": "maven org.webjars:jquery-ui, npm jquery-ui, nuget jquery.ui.combined",
    "jruby": "maven org.jruby:jruby",
    "julia": "cpe:a julialang:julia",
    "kde-plasma": "cpe:a kde:plasma",
    "keycloak": "maven org.keycloak:keycloak-core, cpe:a redhat:keycloak",
    "kibana": "cpe:a elastic:kibana",
    "kirby": "cpe:a getkirby:kirby",
    "kong-gateway": "cpe:a konghq:kong_gateway",
    "kubernetes": "cpe:a kubernetes:kubernetes",
    "kubernetes-csi-node-driver-registrar": "golang github.com/kubernetes-csi/node-driver-registrar",
    "laravel": "composer laravel/framework, cpe:a laravel:laravel",
    "ldap-account-manager": "cpe:a ldap-account-manager:ldap_account_manager",
    "libreoffice": "cpe:a libreoffice:libreoffice",
    "liquibase": "cpe:a liquibase:liquibase",
    "log4j": "cpe:a apache:log4j, maven org.apache.logging.log4j:log4j-core, maven log4j:log4j",
    "logstash": "cpe:a elastic:logstash",
    "looker": "cpe:a google:looker",
    "lua": "cpe:a lua:lua",
    "magento": "cpe:a magento:magento",
    "mariadb": "cpe:a mariadb:mariadb",
    "mastodon": "cpe:a joinmastodon:mastodon",
    "matomo": "cpe:a matomo:matomo",
    "mattermost": "cpe:a mattermost:mattermost_server",
    "mediawiki": "cpe:a mediawiki:mediawiki",
    "memcached": "cpe:a memcached:memcached",
    "micronaut": "maven io.micronaut:micronaut-core",
    "mongodb": "cpe:a mongodb:mongodb, cpe:a mongodb-org-server:mongodb-org-server",
    "moodle": "cpe:a moodle:moodle",
    "mysql": "cpe:a oracle:mysql",
    "neo4j": "cpe:a neo4j:neo4j",
    "neos": "composer neos/neos, cpe:a neos:neos_cms",
    "nextcloud": "cpe:a nextcloud:nextcloud_server",
    "nextjs": "npm next",
    "nexus": "cpe:a sonatype:nexus_repository_manager",
    "nginx": "cpe:a f5:nginx",
    "nodejs": "cpe:a nodejs:node.js",
    "nomad": "cpe:a hashicorp:nomad",
    "numpy": "pypi numpy, cpe:a numpy:numpy",
    "nuxt": "cpe:a nuxt:framework, npm nuxt",
    "oniguruma": "cpe:a oniguruma_project:oniguruma",
    "opensearch": "cpe:a amazon:opensearch",
    "openssl": "cpe:a openssl:openssl",
    "openzfs": "cpe:a openzfs:openzfs",
    "opnsense": "cpe:a opnsense:opnsense",
    "perl": "cpe:a perl:perl",
    "php": "cpe:a php:php",
    "phpbb": "cpe:a phpbb:phpbb",
    "phpmyadmin": "composer phpmyadmin/phpmyadmin, cpe:a phpmyadmin:phpmyadmin",
    "pigeonhole": "cpe:a dovecot:pigeonhole",
    "plesk": "cpe:a plesk:plesk",
    "plone": "cpe:a plone:plone",
    "pnpm": "npm pnpm, cpe:a pnpm:pnpm",
    "podman": "cpe:a podman_project:podman",
    "postfix": "cpe:a postfix:postfix",
    "postgresql": "cpe:a postgresql:postgresql",
    "powershell": "cpe:a microsoft:powershell",
    "privatebin": "cpe:a privatebin:privatebin",
    "proftpd": "cpe:a proftpd:proftpd",
    "prometheus": "golang github.com/prometheus/prometheus, cpe:a prometheus:prometheus",
    "protractor": "npm protractor",
    "proxmox-ve": "cpe:a proxmox:virtual_environment",
    "puppet": "cpe:a puppet:puppet",
    "python": "cpe:a python:python",
    "qt": "cpe:a qt:qt",
    "quarkus-framework": "cpe:a quarkus:quarkus, maven io.quarkus.platform:quarkus-bom",
    "quasar": "npm quasar",
    "rabbitmq": "cpe:a pivotal_software:rabbitmq, cpe:a vmware:rabbitmq",
    "rails": "gem rails, cpe:a rubyonrails:rails",
    "rancher": "cpe:a suse:rancher",
    "react": "npm react, cpe:a facebook:react",
    "react-native": "npm react-native, cpe:a facebook:react-native",
    "red-hat-ansible-automation-platform": "cpe:a redhat:ansible_automation_platform",
    "red-hat-openshift": "cpe:a redhat:openshift",
    "redis": "cpe:a redis:redis",
    "redmine": "cpe:a redmine:redmine",
    "renovate": "npm renovate",
    "robo": "composer consolidation/robo",
    "roundcube": "cpe:a roundcube:webmail",
    "ruby": "cpe:a ruby-lang:ruby",
    "rust": "cpe:a rust-lang:rust",
    "salt": "cpe:a saltstack:salt",
    "scala": "cpe:a scala-lang:scala",
    "shopware": "cpe:a shopware:shopware",
    "silverstripe": "composer silverstripe/cms",
    "solr": "cpe:a apache:solr",
    "sonarqube-community": "cpe:a sonarsource:sonarqube",
    "sourcegraph": "cpe:a sourcegraph:sourcegraph",
    "splunk": "cpe:a splunk:splunk",
    "spring-boot": (
        "maven org.springframework.boot:spring-boot, "
        "maven org.springframework.boot:spring-boot-starter, "
        "maven org.springframework.boot:spring-boot-starter-web, "
        "maven org.springframework.boot:spring-boot-starter-data-jpa, "
        "maven org.springframework.boot:spring-boot-starter-jdbc, "
        "maven org.springframework.boot:spring-boot-starter-data-mongodb, "
        "maven org.springframework.boot:spring-boot-starter-security, "
        "maven org.springframework.boot:spring-boot-starter-test, "
        "maven org.springframework.boot:spring-boot-starter-thymeleaf, "
        "maven org.springframework.boot:spring-boot-starter-amqp, "
        "maven org.springframework.boot:spring-boot-starter-websocket, "
        "maven org.springframework.boot:spring-boot-starter-actuator, "
        "maven org.springframework.boot:spring-boot-starter-undertow, "
        "maven org.springframework.boot:spring-boot-autoconfigure, "
        "maven org.springframework.boot:spring-boot-actuator-autoconfigure, "
        "maven org.springframework.boot:spring-boot-starter-webflux, "
        "maven org.springframework.boot:spring-boot-starter-aop, "
        "maven org.springframework.boot:spring-boot-starter-tomcat, "
        "maven org.springframework.boot:spring-boot-starter-logging, "
        "maven org.springframework.boot:spring-boot-starter-batch, "
        "maven org.springframework.boot:spring-boot-starter-log4j2, "
        "maven org.springframework.boot:spring-boot-starter-validation"
    ),
    "spring-framework": (
        "maven org.springframework:spring-core, maven org.springframework:spring-aop, "
        "maven org.springframework:spring-beans, maven org.springframework:spring-context, "
        "maven org.springframework:spring-expression, maven org.springframework:spring-jdbc, "
        "maven org.springframework:spring-jms, maven org.springframework:spring-messaging, "
        "maven org.springframework:spring-orm, maven org.springframework:spring-oxm, "
        "maven org.springframework:spring-tx, maven org.springframework:spring-web, "
        "maven org.springframework:spring-webmvc, maven org.springframework:spring-websocket"
    ),
    "spring-security": (
        "maven org.springframework.security:spring-security-core, "
        "maven org.springframework.security:spring-security-web, "
        "maven org.springframework.security:spring-security-config, "
        "maven org.springframework.security:spring-security-oauth2-core, "
        "maven org.springframework.security:spring-security-oauth2-client"
    ),
    "sqlite": "cpe:a sqlite:sqlite",
    "squid": "cpe:a squid-cache:squid",
    "statamic": "composer statamic/cms, cpe:a statamic:statamic",
    "strapi": "npm @strapi/strapi",
    "svelte": "npm svelte, cpe:a svelte:svelte",
    "symfony": "cpe:a sensiolabs:symfony",
    "tailwind-css": "npm tailwindcss",
    "tarantool": "cpe:a tarantool:tarantool",
    "teleport": "cpe:a goteleport:teleport",
    "terraform": "cpe:a hashicorp:terraform",
    "tomcat": "maven org.apache.tomcat:tomcat, cpe:a apache:tomcat",
    "traefik": "cpe:a traefik:traefik",
    "typo3": "composer typo3/cms, cpe:a typo3:typo3",
    "umbraco": "cpe:a umbraco:umbraco_cms",
    "unrealircd": "cpe:a unrealircd:unrealircd",
    "valkey": "cpe:a lfprojects:valkey",
    "vcenter": "cpe:a vmware:vcenter_server",
    "vinyl-cache": "cpe:a varnish_cache_project:varnish_cache",
    "virtualbox": "cpe:a oracle:virtualbox",
    "vitess": "cpe:a linuxfoundation:vitess",
    "vue": "npm vue",
    "vuetify": "npm vuetify, cpe:a vuetifyjs:vuetify",
    "wagtail": "pypi wagtail, cpe:a torchbox:wagtail",
    "weechat": "cpe:a weechat:weechat",
    "wireshark": "cpe:a wireshark:wireshark",
    "wordpress": "cpe:a wordpress:wordpress",
    "yarn": "npm yarn, cpe:a yarnpkg:yarn",
    "yocto": "cpe:a linuxfoundation:yocto",
    "zabbix": "cpe:a zabbix:zabbix",
    "zookeeper": "maven org.apache.zookeeper:zookeeper, cpe:a apache:zookeeper",
}


def _products(names: str) -> tuple[Product, ...]:
    return tuple(Product(*one.split(" ")) for one in names.split(", "))


PRODUCTS: dict[str, tuple[Product, ...]] = {slug: _products(names) for slug, names in _NAMES.items()}
