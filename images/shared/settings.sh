# Sourced: how this machine reaches packages. All of it is mounted for one step, nothing is kept.
for name in pip.conf uv.toml npmrc ca.pem variables.sh; do
    [ -f "/run/secrets/$name" ] || continue
    case $name in
        pip.conf) export PIP_CONFIG_FILE=/run/secrets/pip.conf ;;
        uv.toml) export UV_CONFIG_FILE=/run/secrets/uv.toml ;;
        npmrc) export NPM_CONFIG_USERCONFIG=/run/secrets/npmrc ;;
        ca.pem)
            export SSL_CERT_FILE=/run/secrets/ca.pem PIP_CERT=/run/secrets/ca.pem
            export NODE_EXTRA_CA_CERTS=/run/secrets/ca.pem
            ;;
        variables.sh) . /run/secrets/variables.sh ;;
    esac
done
export UV_LINK_MODE=copy UV_NO_PROGRESS=1
